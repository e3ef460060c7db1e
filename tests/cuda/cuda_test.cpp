#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "attention/explicit_requests.h"
#include "fovea/catalog.h"
#include "fovea/generate.h"
#include "fovea/kernels/kernels.h"
#include "fovea/run.h"
#include "fovea/scenes.h"
#include "fovea/trace_requests.h"

using namespace fovea;

namespace {

// Checkpoint folders to compare on: the demo, and every folder below FOVEA_PARITY_FIXTURES that has a config.json.
std::vector<std::string> folders() {
    std::vector<std::string> found = {"demo:vit"};
    if (const char* fixtures = std::getenv("FOVEA_PARITY_FIXTURES"))
        for (const auto& entry : std::filesystem::recursive_directory_iterator(fixtures))
            if (entry.path().filename() == "config.json") found.push_back(entry.path().parent_path().string());
    return found;
}

struct Difference {
    double absolute = 0;
    double relative = 0;  // of the largest magnitude
};

Difference compare(const Array& reference, const Array& other) {
    REQUIRE(reference.shape == other.shape);
    double largest = 0, magnitude = 0;
    for (std::size_t i = 0; i < other.values.size(); ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(reference.values[i]) - other.values[i]));
        magnitude = std::max(magnitude, std::abs(static_cast<double>(reference.values[i])));
    }
    return {largest, magnitude > 0 ? largest / magnitude : largest};
}

struct Recorded {
    std::shared_ptr<const Model> model;
    RunResult result;
};

Recorded record(const Catalog& catalog, const std::string& folder, const std::string& device,
                const std::string& dtype, bool gradients = false) {
    const auto model = openModel(catalog, folder, {device, dtype, true, {}});
    SceneOptions options;
    options.seed = 3;
    const auto input = model->encode({.images = {makeScene(options).image}, .video = {}, .prompt = {}, .chat = {}, .tensors = {}});
    RunSpec spec;
    spec.capture = CaptureRequest::parse("probs,hidden,output");
    if (gradients) {
        spec.objective = Objective{};
        spec.gradients = {true, false};
    }
    return {model, runModel(*model, *input, spec)};
}

Difference worst(const AttentionTrace& reference, const AttentionTrace& other) {
    Difference worst;
    const auto add = [&](const Array& a, const Array& b) {
        const Difference d = compare(a, b);
        worst.absolute = std::max(worst.absolute, d.absolute);
        worst.relative = std::max(worst.relative, d.relative);
    };
    for (const int site : reference.sites()) add(reference.probabilities(site), other.probabilities(site));
    for (const StageSpec& stage : reference.spec().stages)
        for (int i = 0; i <= stage.layers; ++i) add(reference.hidden(stage.id, i), other.hidden(stage.id, i));
    for (const std::string& name : reference.outputNames()) add(reference.output(name), other.output(name));
    return worst;
}

}  // namespace

TEST_CASE("cuda: without a device a model is refused with a hint, with one it agrees with float64 on the CPU") {
    const Catalog catalog = makeCatalog();
    if (fv_device_count() == 0) {
        std::cout << "no CUDA device: " << folders().size() << " comparisons skipped\n";
        try {
            openModel(catalog, "demo:vit", {"cuda", "auto", true, {}});
            FAIL("expected a refusal");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::Memory);
            CHECK_FALSE(error.hint().empty());
        }
        return;
    }
    fv_device_info info{};
    REQUIRE(fv_get_device_info(0, &info) == FV_OK);
    CHECK(info.total_bytes > 0);
    std::cout << "device " << info.name << " sm_" << info.major << info.minor << "\n";
    for (const std::string& folder : folders()) {
        const Recorded reference = record(catalog, folder, "cpu", "float64");
        const Recorded single = record(catalog, folder, "cuda", "float32");
        const Recorded half = record(catalog, folder, "cuda", "bfloat16");
        const Difference fp32 = worst(*reference.result.trace, *single.result.trace);
        const Difference bf16 = worst(*reference.result.trace, *half.result.trace);
        std::cout << std::filesystem::path(folder).filename().string() << " (" << reference.model->spec().family
                  << "): fp32 " << fp32.absolute << " by " << single.result.routes.front().route << ", bf16 "
                  << bf16.relative << " of the maximum by " << half.result.routes.front().route << "\n";
        CHECK_MESSAGE(fp32.absolute <= 1e-4, folder);
        CHECK_MESSAGE(bf16.relative <= 3e-2, folder);
    }
}

TEST_CASE("cuda: observation changes no bit, edits and gradients agree with the CPU") {
    if (fv_device_count() == 0) return;
    const Catalog catalog = makeCatalog();
    const auto model = openModel(catalog, "demo:vit", {"cuda", "float32", true, {}});
    const auto input = model->encode({.images = {makeScene({}).image}, .video = {}, .prompt = {}, .chat = {}, .tensors = {}});
    RunSpec plain, observed;
    observed.capture = CaptureRequest::parse("qkv,lse,stats,probs,hidden,output");
    CHECK(runModel(*model, *input, plain).trace->output("logits") ==
          runModel(*model, *input, observed).trace->output("logits"));

    const auto onCpu = openModel(catalog, "demo:vit", {"cpu", "float32", true, {}});
    const auto cpuInput = onCpu->encode({.images = {makeScene({}).image}, .video = {}, .prompt = {}, .chat = {}, .tensors = {}});
    RunSpec edited;
    GroupFactor group;
    group.keys = {0, 1};
    group.factor = 0;
    group.rowSum = RowSum::Renormalise;
    edited.edits.at(2).factors.push_back(group);
    edited.edits.at(1).headGain.assign(static_cast<std::size_t>(model->spec().sites[1].heads), 1.0);
    edited.edits.at(1).headGain[0] = 0;
    edited.edits.prunes = {{"vision", 3, {5, 6, 7}}};
    edited.objective = Objective{};
    edited.objective->classIndex = 0;
    edited.gradients = {true, false};
    const RunResult a = runModel(*model, *input, edited), b = runModel(*onCpu, *cpuInput, edited);
    CHECK(compare(b.trace->output("logits"), a.trace->output("logits")).absolute < 1e-4);
    CHECK(compare(b.inputGradient, a.inputGradient).relative < 1e-3);
}

TEST_CASE("cuda: traces are answered on the device, as explicit products would") {
    if (fv_device_count() == 0) return;
    const Catalog catalog = makeCatalog();
    for (const std::string dtype : {"float32", "bfloat16", "float16"}) {
        CAPTURE(dtype);
        const auto model = openModel(catalog, "demo:vit", {"cuda", dtype, true, {}});
        const auto input = model->encode({.images = {makeScene({}).image}, .video = {}, .prompt = {}, .chat = {}, .tensors = {}});
        RunSpec spec;
        spec.capture = CaptureRequest::parse("qkv,output");
        spec.objective = Objective{};
        spec.gradients.attention = true;
        const auto trace = runModel(*model, *input, spec).trace;
        const int site = 2, tokens = trace->queries(site);
        CHECK(traceRoute(*trace, site) == "kernel on cuda:0");
        const SiteRecord& record = trace->impl()->record(site);
        const ExplicitSource plain{*trace->impl()->op, record, Weights::Base};
        SiteBlock whole{{}, 0, tokens, 0, tokens};
        for (int head = 0; head < trace->spec().sites[site].heads; ++head) whole.heads.push_back(head);
        const auto close = [](const Array& found, const Array& expected) {
            CHECK(compare(expected, found).absolute <= 2e-5 * (1 + compare(expected, found).relative));
        };
        close(trace->probabilities(site), explicitBlock(plain, whole, std::nullopt));
        close(trace->fused(site, HeadFusion::Max), explicitBlock(plain, whole, HeadFusion::Max));
        close(trace->rows(site, {3, 1, 20}), explicitRows(plain, {3, 1, 20}));
        close(trace->columns(site, {0, 9}), explicitColumns(plain, whole, {0, 9}));
        TileRequest tile;
        tile.height = 7;
        tile.width = 11;
        tile.fusion = HeadFusion::Mean;
        close(traceTile(*trace, site, tile), explicitTile(plain, whole, tile));
        close(groupMass(*trace, site, {{0}, {1, 2, 3}}), explicitGroupMass(plain, whole, {{0}, {1, 2, 3}}));
        close(columnTop(*trace, site, 4).value, explicitColumnTop(plain, whole, 4).value);
        Array y({tokens, 2});
        for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] = static_cast<float>(i % 5) / 5;
        const Array product = collect(*trace, site, y), slowProduct = explicitCollect(plain, whole, y);
        CHECK(compare(slowProduct, product).relative < 1e-5);
        const Array relevance = collectRelevance(*trace, site, RelevancePart::Positive, y);
        CHECK(compare(explicitRelevance(plain, whole, RelevancePart::Positive, y), relevance).relative < 1e-4);
        const SiteStatistics fast = trace->statistics(site);
        CHECK(fast.route == "kernel on cuda:0");
        const SiteStatistics slow = trace->statistics(site, {8, 4});
        CHECK(slow.route.find("explicit") == 0);
        close(fast.entropy, slow.entropy);
        close(fast.rowmax, slow.rowmax);
        close(fast.topkValue, slow.topkValue);
        CHECK(compare(slow.colsum, fast.colsum).relative < 1e-5);
        close(trace->logSumExp(site), toArray(record.exactLse(*trace->impl()->op)));
    }
}

TEST_CASE("cuda: edits keep flash memory, spilled recordings answer alike") {
    if (fv_device_count() == 0) return;
    const Catalog catalog = makeCatalog();
    const auto model = openModel(catalog, "demo:vit", {"cuda", "float32", true, {}});
    const auto input = model->encode({.images = {makeScene({}).image}, .video = {}, .prompt = {}, .chat = {}, .tensors = {}});
    RunSpec spec;
    spec.capture = CaptureRequest::parse("qkv,output");
    GroupFactor group;
    group.keys = {0, 4};
    group.factor = 0.25;
    group.rowSum = RowSum::Compensate;
    spec.edits.at(1).factors.push_back(group);
    const RunResult kernel = runModel(*model, *input, spec);
    CHECK(kernel.routes.back().route == "edit by the kernel");
    CHECK(kernel.notices.empty());
    RunSpec explicitly = spec;
    explicitly.route = RouteChoice::Explicit;
    CHECK(compare(runModel(*model, *input, explicitly).trace->output("logits"), kernel.trace->output("logits"))
              .absolute < 1e-4);
    spec.budget = kernel.estimate.run() - kernel.estimate.capture / 2;
    const RunResult spilled = runModel(*model, *input, spec);
    REQUIRE_FALSE(spilled.notices.empty());
    const int last = spilled.trace->sites().back();
    CHECK(traceRoute(*spilled.trace, last) == "kernel");
    CHECK(compare(kernel.trace->probabilities(last), spilled.trace->probabilities(last)).absolute < 1e-5);
    CHECK(spilled.trace->output("logits") == kernel.trace->output("logits"));
}

TEST_CASE("cuda: an answer is that of the CPU, recorded or not, and none of its tokens takes cuDNN") {
    if (fv_device_count() == 0) return;
    const Catalog catalog = makeCatalog();
    const auto answer = [&](const std::string& device, const std::string& dtype, const char* keep) {
        const auto model = openModel(catalog, "demo:vlm", {device, dtype, true, {}});
        const auto input = model->encode(
            {.images = {makeScene({}).image}, .video = {}, .prompt = "what colour is the star?", .chat = {}, .tensors = {}});
        GenerateSpec spec;
        spec.forced = {40, 41, 42, 43, 44, 45};
        spec.maxNewTokens = static_cast<int>(spec.forced.size());
        spec.capture = CaptureRequest::parse(keep);
        return generate(*model, *input, spec);
    };
    const Generation reference = answer("cpu", "float32", "output");
    for (const std::string dtype : {"float32", "bfloat16"}) {
        CAPTURE(dtype);
        const Generation plain = answer("cuda", dtype, "output"), recorded = answer("cuda", dtype, "qkv,lse,output");
        for (std::size_t i = 0; i < plain.steps.size(); ++i) {
            CHECK(plain.steps[i].logProbability == recorded.steps[i].logProbability);
            CHECK(std::abs(plain.steps[i].logProbability - reference.steps[i].logProbability) <
                  (dtype == "float32" ? 1e-3 : 0.5));
        }
        const auto sites = static_cast<int>(plain.trace->spec().sites.size());
        int calls = 0;
        for (const RouteReport& route : plain.routes) calls += route.route == "cudnn" ? route.calls : 0;
        CHECK(calls <= sites);  // those of the prompt
    }
}
