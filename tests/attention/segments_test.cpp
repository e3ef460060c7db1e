// Attention within windows: the same numbers as a masked call, in token order, and just so in a trace file.
#include "attention/segments.h"

#include <doctest/doctest.h>

#include <ATen/ops/full.h>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "attention/toy_model.h"
#include "fovea/catalog.h"
#include "fovea/error.h"
#include "fovea/open_model.h"
#include "fovea/reference_check.h"
#include "fovea/run.h"
#include "io/mapped_file.h"
#include "io/safetensors.h"

using namespace fovea;
using namespace fovea::test;

namespace {

// Windows {4, 0, 6}, {2, 5}, {1, 3} of 7 tokens: two lengths, tokens out of order.
const std::vector<std::int64_t> order = {4, 0, 6, 2, 5, 1, 3}, bounds = {0, 3, 5, 7};
const std::vector<std::vector<int>> windowOf = {{0, 4, 6}, {1, 3}, {2, 5}, {1, 3}, {0, 4, 6}, {2, 5}, {0, 4, 6}};

ToyOptions windowed(int keyValueHeads = 4) {
    ToyOptions options;
    options.keyValueHeads = keyValueHeads;
    options.segments = std::make_shared<const AttentionSegments>(order, bounds, at::kCPU);
    return options;
}

RunSpec everything(RouteChoice route = RouteChoice::Auto) {
    RunSpec spec;
    spec.capture = CaptureRequest::parse("qkv,lse,stats,probs,output");
    spec.capture.headOutput = true;
    spec.route = route;
    return spec;
}

bool sees(int query, int key) {
    const auto& window = windowOf[static_cast<std::size_t>(query)];
    return std::find(window.begin(), window.end(), key) != window.end();
}

// The same model with a mask instead of windows.
RunResult masked(const ToyOptions& options) {
    ToyOptions plain = options;
    plain.segments = nullptr;
    plain.mask = at::full({1, 1, 7, 7}, -std::numeric_limits<float>::infinity());
    for (int query = 0; query < 7; ++query)
        for (int key = 0; key < 7; ++key)
            if (sees(query, key)) plain.mask[0][0][query][key] = 0;
    return runModel(*makeToyModel(plain), *makeToyInput(plain), everything());
}

struct File {
    std::filesystem::path path;
    explicit File(const char* name) : path(std::filesystem::temp_directory_path() / name) {}
    ~File() { std::filesystem::remove(path); }
};

std::shared_ptr<const AttentionTrace> replayed(const std::filesystem::path& path) {
    const auto model = openModel(makeCatalog(), path.string());
    return runModel(*model, *model->encode({}), {}).trace;
}

}  // namespace

TEST_CASE("windows give what a mask gives, in token order, on every route") {
    for (const int kvHeads : {4, 2, 1})
        for (const RouteChoice route : {RouteChoice::Auto, RouteChoice::Explicit}) {
            const ToyOptions options = windowed(kvHeads);
            const RunResult inWindows = runModel(*makeToyModel(options), *makeToyInput(options), everything(route));
            const RunResult withMask = masked(options);
            CHECK(largestDifference(inWindows.trace->output("logits"), withMask.trace->output("logits")) < 1e-6);
            for (const int site : inWindows.trace->sites()) {
                const Array probs = inWindows.trace->probabilities(site);
                CHECK(largestDifference(probs, withMask.trace->probabilities(site)) < 1e-6);
                for (int query = 0; query < 7; ++query)
                    for (int key = 0; key < 7; ++key)
                        if (!sees(query, key)) CHECK(probs.at(2, query, key) == 0);
                const SiteStatistics a = inWindows.trace->statistics(site), b = withMask.trace->statistics(site);
                CHECK(largestDifference(a.colsum, b.colsum) < 1e-5);
                CHECK(largestDifference(a.entropy, b.entropy) < 1e-5);
                CHECK(largestDifference(inWindows.trace->logSumExp(site), withMask.trace->logSumExp(site)) < 1e-5);
                const ReferenceCheck check = checkAgainstReference(*inWindows.trace, site);
                CHECK(check.finite);
                CHECK(check.probabilities < 1e-6);
                CHECK(check.logSumExp < 1e-5);
                CHECK(check.output < 1e-5);
            }
        }
}

TEST_CASE("edits and gradients work within windows") {
    const ToyOptions options = windowed();
    RunSpec spec = everything();
    GroupFactor factor;
    factor.keys = {4};
    factor.factor = 0;
    factor.rowSum = RowSum::Renormalise;
    spec.edits.at(1).factors = {factor};
    spec.gradients.attention = spec.gradients.input = true;
    Objective objective;
    objective.classIndex = 1;
    spec.objective = objective;
    const RunResult result = runModel(*makeToyModel(options), *makeToyInput(options), spec);
    const Array probs = result.trace->probabilities(1);
    CHECK(probs.at(0, 0, 4) == 0);
    CHECK(probs.at(0, 0, 0) + probs.at(0, 0, 6) == doctest::Approx(1));
    CHECK(probs.at(0, 0, 1) == 0);
    for (const float value : result.inputGradient.values) CHECK(std::isfinite(value));
    CHECK(result.trace->hasGradient(1));
}

TEST_CASE("a trace file keeps the columns of each window, and gives them back") {
    const ToyOptions options = windowed();
    const auto trace = runModel(*makeToyModel(options), *makeToyInput(options), everything()).trace;
    for (const char* keep : {"probs", "qkv,probs", "qkv"}) {
        INFO(keep);
        const File file("fovea_segments_test.safetensors");
        TraceFileOptions write;
        write.keep = CaptureRequest::parse(keep);
        writeTraceFile(file.path, {trace}, write);
        const auto mapped = MappedFile::open(file.path);
        const SafetensorsHeader header = parseSafetensors(mapped->bytes(), "trace");
        bool indexed = false;
        for (const TensorInfo& tensor : header.tensors) {
            if (tensor.name == "vision.1.self/probs") CHECK(tensor.shape == std::vector<std::int64_t>{4, 7, 3});
            if (tensor.name != "vision.1.self/index") continue;
            indexed = true;
            REQUIRE(tensor.shape == std::vector<std::int64_t>{7, 3});
            const auto* index = reinterpret_cast<const std::int32_t*>(mapped->data() + tensor.begin);
            for (int query = 0; query < 7; ++query)
                for (int column = 0; column < 3; ++column) {
                    const auto& window = windowOf[static_cast<std::size_t>(query)];
                    const int key = column < static_cast<int>(window.size())
                                        ? window[static_cast<std::size_t>(column)]
                                        : -1;
                    CHECK(index[query * 3 + column] == key);
                }
        }
        CHECK(indexed);
        const auto again = replayed(file.path);
        for (const int site : trace->sites()) {
            CHECK(again->keys(site) == 7);
            CHECK(largestDifference(again->probabilities(site), trace->probabilities(site)) < 1e-6);
        }
    }
}

TEST_CASE("segments that do not divide the tokens are refused") {
    const auto make = [](std::vector<std::int64_t> o, std::vector<std::int64_t> b) {
        AttentionSegments(o, b, at::kCPU);
    };
    CHECK_THROWS_AS(make({0, 1, 1}, {0, 3}), Error);
    CHECK_THROWS_AS(make({0, 1, 2}, {0, 2}), Error);
    CHECK_THROWS_AS(make({0, 1, 2}, {0, 2, 2, 3}), Error);
    CHECK_THROWS_AS(make({0, 1, 3}, {0, 3}), Error);
    const auto frames = AttentionSegments::equal(2, 3, at::kCPU);
    CHECK(frames->longest() == 3);
    CHECK(frames->groups().size() == 1);
    ToyOptions options = windowed();
    options.segments = frames;  // six tokens, the model has seven
    CHECK_THROWS_AS(runModel(*makeToyModel(options), *makeToyInput(options), {}), Error);
}

namespace {

// Statistics of one head from its probabilities, one after the other.
struct Expected {
    std::vector<double> colsum, colmax, entropy, rowmax, pooled;

    Expected(const Array& probs, int head, int block)
        : colsum(size(probs)), colmax(size(probs)), entropy(size(probs)), rowmax(size(probs)) {
        const auto tokens = static_cast<int>(size(probs));
        const int blocks = (tokens + block - 1) / block;
        pooled.assign(static_cast<std::size_t>(blocks) * static_cast<std::size_t>(blocks), 0);
        for (int query = 0; query < tokens; ++query)
            for (int key = 0; key < tokens; ++key) {
                const double p = static_cast<double>(probs.at(head, query, key));
                const auto q = static_cast<std::size_t>(query), k = static_cast<std::size_t>(key);
                colsum[k] += p;
                colmax[k] = std::max(colmax[k], p);
                rowmax[q] = std::max(rowmax[q], p);
                if (p > 0) entropy[q] -= p * std::log(p);
                const int area = std::min(block, tokens - query / block * block) *
                                 std::min(block, tokens - key / block * block);
                pooled[static_cast<std::size_t>(query / block * blocks + key / block)] += p / area;
            }
    }

    static std::size_t size(const Array& probs) { return static_cast<std::size_t>(probs.shape[1]); }
};

void closeTo(const Array& found, int head, const std::vector<double>& expected) {
    for (std::size_t i = 0; i < expected.size(); ++i)
        CHECK(std::abs(static_cast<double>(found.values[static_cast<std::size_t>(head) * expected.size() + i]) -
                       expected[i]) < 1e-5);
}

// Rows hold the largest probabilities, the smaller token first among equals; hidden ones fill a short row.
void checkTop(const SiteStatistics& found, const Array& probs, int head, int query) {
    std::vector<int> tokens(static_cast<std::size_t>(probs.shape[2]));
    std::iota(tokens.begin(), tokens.end(), 0);
    std::stable_sort(tokens.begin(), tokens.end(),
                     [&](int a, int b) { return probs.at(head, query, a) > probs.at(head, query, b); });
    for (int i = 0; i < found.topkIndex.shape[2]; ++i) {
        const int token = tokens[static_cast<std::size_t>(i)];
        CHECK(found.topkIndex.at(head, query, i) == static_cast<float>(token));
        CHECK(std::abs(found.topkValue.at(head, query, i) - probs.at(head, query, token)) < 1e-6F);
    }
}

}  // namespace

TEST_CASE("the kernels give the statistics within segments, in the order of the tokens") {
    ToyOptions shuffled;
    shuffled.tokens = 271;
    std::vector<std::int64_t> permutation;
    for (std::int64_t i = 0; i < 271; ++i) permutation.push_back(i * 7 % 271);
    shuffled.segments = std::make_shared<const AttentionSegments>(
        permutation, std::vector<std::int64_t>{0, 3, 70, 80, 200, 271}, at::kCPU);
    ToyOptions frames;
    frames.tokens = 28;
    frames.keyValueHeads = 2;
    frames.segments = AttentionSegments::equal(4, 7, at::kCPU);
    for (const ToyOptions& options : {shuffled, frames}) {
        RunSpec spec;
        spec.capture = CaptureRequest::parse("qkv");
        const auto trace = runModel(*makeToyModel(options), *makeToyInput(options), spec).trace;
        StatisticsOptions wanted;
        wanted.topk = 5;
        wanted.pooledBlock = 8;
        const SiteStatistics found = trace->statistics(1, wanted);
        CHECK(found.route == "kernel");
        const Array probs = trace->probabilities(1);
        for (int head = 0; head < 4; ++head) {
            const Expected expected(probs, head, wanted.pooledBlock);
            closeTo(found.colsum, head, expected.colsum);
            closeTo(found.colmax, head, expected.colmax);
            closeTo(found.entropy, head, expected.entropy);
            closeTo(found.rowmax, head, expected.rowmax);
            closeTo(found.pooled, head, expected.pooled);
            for (int query = 0; query < options.tokens; query += 9) checkTop(found, probs, head, query);
        }
    }
}

TEST_CASE("frames of a video cost no table of what each token sees until one asks for it") {
    // Eight frames of 21,600 patches would be a table of 15 GB.
    const auto frames = AttentionSegments::equal(8, 21600, at::kCPU);
    CHECK(frames->tokens() == 172800);
    CHECK(frames->longest() == 21600);
    const AttentionSegments few(order, bounds, at::kCPU);
    const at::Tensor& columns = few.columns();
    REQUIRE(columns.sizes() == at::IntArrayRef({7, 3}));
    for (int token = 0; token < 7; ++token)
        for (std::size_t i = 0; i < 3; ++i) {
            const auto& window = windowOf[static_cast<std::size_t>(token)];
            CHECK(columns[token][static_cast<std::int64_t>(i)].item<int>() == (i < window.size() ? window[i] : -1));
        }
}
