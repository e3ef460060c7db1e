// What the kernels answer against plain LibTorch on the same records.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "attention/explicit_requests.h"
#include "attention/kernel_requests.h"
#include "attention/toy_model.h"
#include "fovea/error.h"
#include "fovea/run.h"
#include "fovea/trace_requests.h"

using namespace fovea;
using namespace fovea::test;

namespace {

struct Recorded {
    std::string name;
    std::shared_ptr<const AttentionTrace> trace;
    int site = 1;

    const SiteRecord& record() const { return trace->impl()->record(site); }
    ExplicitSource source(Weights weights = Weights::Base) const {
        return {*trace->impl()->op, record(), weights};
    }
    SiteBlock whole() const {
        const int queries = trace->queries(site), keys = trace->keys(site);
        return {{0, 1, 2, 3}, 0, queries, 0, keys};
    }
};

Recorded recorded(const std::string& name, const ToyOptions& options, bool gradients = false) {
    RunSpec spec;
    spec.capture = CaptureRequest::parse("qkv,output");
    if (gradients) {
        spec.objective = Objective{};
        spec.gradients.attention = true;
    }
    return {name, runModel(*makeToyModel(options), *makeToyInput(options), spec).trace};
}

std::vector<Recorded> all(bool gradients = false) {
    std::vector<Recorded> list;
    ToyOptions options;
    options.tokens = 40;
    list.push_back(recorded("plain", options, gradients));
    options.causal = true;
    list.push_back(recorded("causal", options, gradients));
    options.keyValueHeads = 2;
    list.push_back(recorded("causal, shared keys", options, gradients));
    options = {};
    options.tokens = 40;
    options.bias = true;
    list.push_back(recorded("bias", options, gradients));
    options.bias = false;
    options.softcap = 2;
    options.keyValueHeads = 1;
    list.push_back(recorded("cap, one key head", options, gradients));
    options = {};
    options.tokens = 40;
    options.dtype = at::kBFloat16;
    options.headDim = 16;
    if (!gradients) list.push_back(recorded("bf16", options));
    return list;
}

void close(const std::optional<Array>& found, const Array& expected, double tolerance = 2e-6) {
    REQUIRE(found);
    REQUIRE(found->shape == expected.shape);
    CHECK(largestDifference(*found, expected) < tolerance);
}

Array ramp(std::int64_t rows, std::int64_t columns) {
    Array out({rows, columns});
    for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] = static_cast<float>(std::sin(1.7 * static_cast<double>(i)));
    return out;
}

}  // namespace

TEST_CASE("blocks, rows and columns of the kernels are those of explicit products") {
    for (const Recorded& on : all()) {
        CAPTURE(on.name);
        std::string declined;
        CHECK(on.record().kernelsDecline(*on.trace->impl()->op, Weights::Base) == "");
        const std::vector<SiteBlock> blocks = {
            on.whole(), {{2}, 3, 17, 0, 40}, {{0, 1}, 30, 40, 5, 29}, {{3, 1}, 0, 40, 39, 40}, {{1, 2, 3}, 7, 8, 0, 40}};
        // First as the log-sum-exp is not known yet, then with it.
        for (int round = 0; round < 2; ++round) {
            for (const SiteBlock& block : blocks) {
                close(kernelBlock(on.record(), block, std::nullopt, declined),
                      explicitBlock(on.source(), block, std::nullopt));
                for (const HeadFusion fusion : {HeadFusion::Mean, HeadFusion::Max, HeadFusion::Min})
                    close(kernelBlock(on.record(), block, fusion, declined),
                          explicitBlock(on.source(), block, fusion));
            }
            for (const std::vector<int>& rows :
                 {std::vector<int>{5}, {0, 1, 2, 39}, {7, 3, 3, 12, 30, 1, 9, 22, 24, 35, 37}}) {
                close(kernelRows(on.record(), rows, declined), explicitRows(on.source(), rows));
                close(kernelColumns(on.record(), rows, declined), explicitColumns(on.source(), on.whole(), rows));
            }
        }
        CHECK(declined == "");
    }
}

TEST_CASE("tiles at any zoom, group masses, column lists and products") {
    for (const Recorded& on : all()) {
        CAPTURE(on.name);
        std::string declined;
        for (const TilePooling pooling : {TilePooling::Mean, TilePooling::Max, TilePooling::Sum})
            for (const std::optional<HeadFusion> fusion :
                 {std::optional<HeadFusion>(), std::optional(HeadFusion::Mean), std::optional(HeadFusion::Max)})
                for (const SiteBlock& block : {on.whole(), SiteBlock{{3, 0}, 4, 31, 11, 40}})
                    for (const int size : {1, 7, 27, 64}) {
                        TileRequest request;
                        request.height = size;
                        request.width = size + 2;
                        request.pooling = pooling;
                        request.fusion = fusion;
                        close(kernelTile(on.record(), block, request, declined),
                              explicitTile(on.source(), block, request), 2e-5);
                    }
        const std::vector<std::vector<int>> groups = {{0}, {3, 5, 39}, {20, 21, 22, 23}};
        close(kernelGroupMass(on.record(), groups, declined), explicitGroupMass(on.source(), on.whole(), groups));
        const auto top = kernelColumnTop(on.record(), 5, declined);
        const ColumnTop plain = explicitColumnTop(on.source(), on.whole(), 5);
        REQUIRE(top);
        close(top->value, plain.value);
        const Array map = explicitBlock(on.source(), on.whole(), std::nullopt);
        for (int head = 0; head < 4; ++head)
            for (int key = 0; key < 40; ++key)
                for (int i = 0; i < 5; ++i) {
                    const auto query = static_cast<int>(top->index.at(head, key, i));
                    const double value = static_cast<double>(top->value.at(head, key, i));
                    if (query < 0)
                        CHECK(value == 0);
                    else
                        CHECK(std::abs(static_cast<double>(map.at(head, query, key)) - value) < 2e-6);
                }
        for (const std::int64_t columns : {1, 3, 8})
            for (const std::vector<std::int64_t>& heads : {std::vector<std::int64_t>{0, 1, 2, 3}, {2}, {3, 1}}) {
                const Array y = ramp(40, columns);
                SiteBlock block = on.whole();
                block.heads = heads;
                close(kernelCollect(on.record(), heads, y, declined), explicitCollect(on.source(), block, y), 1e-5);
            }
        CHECK(declined == "");
    }
}

TEST_CASE("relevance products are those of whole maps and their gradients") {
    for (const Recorded& on : all(true)) {
        CAPTURE(on.name);
        std::string declined;
        REQUIRE(on.trace->hasGradient(on.site));
        const Array y = ramp(40, 2), probs = on.trace->probabilities(on.site),
                    gradient = on.trace->probabilityGradient(on.site);
        for (const RelevancePart part : {RelevancePart::Positive, RelevancePart::Signed, RelevancePart::Absolute}) {
            const auto found = kernelRelevance(on.record(), {0, 1, 2, 3}, part, y, declined);
            REQUIRE(found);
            double largest = 0, apart = 0;
            for (int key = 0; key < 40; ++key)
                for (int column = 0; column < 2; ++column) {
                    double sum = 0;
                    for (int head = 0; head < 4; ++head)
                        for (int query = 0; query < 40; ++query) {
                            double e = static_cast<double>(probs.at(head, query, key)) *
                                       static_cast<double>(gradient.at(head, query, key));
                            if (part == RelevancePart::Positive) e = std::max(e, 0.0);
                            if (part == RelevancePart::Absolute) e = std::abs(e);
                            sum += e * static_cast<double>(y.at(query, column)) / 4;
                        }
                    largest = std::max(largest, std::abs(sum));
                    apart = std::max(apart, std::abs(sum - static_cast<double>(found->at(key, column))));
                }
            CHECK(apart <= 1e-5 * largest);  // 0 where the class token sees nothing but itself
            const Array plain = explicitRelevance(on.source(), on.whole(), part, y);
            CHECK(largestDifference(*found, plain) <= 1e-5 * largest);
        }
        CHECK(declined == "");
    }
}

TEST_CASE("a trace says what serves it, and answers alike where the kernels cannot") {
    ToyOptions options;
    options.tokens = 40;
    const Recorded plain = recorded("plain", options);
    CHECK(traceRoute(*plain.trace, 1) == "kernel");
    options.dtype = at::kDouble;
    const Recorded wide = recorded("float64", options);
    CHECK(traceRoute(*wide.trace, 1) == "explicit: no Double kernel");
    TileRequest request;
    request.height = request.width = 9;
    for (const auto& on : {plain, wide}) {
        CHECK(traceTile(*on.trace, 1, request).shape == std::vector<std::int64_t>{4, 9, 9});
        const Array mass = groupMass(*on.trace, 1, {{0, 1}, {39}});
        CHECK(mass.shape == std::vector<std::int64_t>{4, 40, 2});
        for (const double sum : rowSums(*on.trace, 1)) CHECK(sum == doctest::Approx(1).epsilon(1e-6));
    }
    RunSpec spec;
    spec.capture = CaptureRequest::parse("qkv");
    GroupFactor factor;
    factor.keys = {2};
    factor.factor = 0;
    spec.edits.at(1).factors = {factor};
    options.dtype = at::kFloat;
    const auto edited = runModel(*makeToyModel(options), *makeToyInput(options), spec).trace;
    CHECK(traceRoute(*edited, 1) == "explicit: edited probabilities");
    CHECK(traceRoute(*edited, 1, Weights::Base) == "kernel");
    CHECK(groupMass(*edited, 1, {{2}}).values == std::vector<float>(160, 0));
    CHECK(rowSums(*edited, 1)[5] < 1);

    const auto refused = [&](auto ask) { CHECK_THROWS_AS(ask(), Error); };
    TileRequest empty, large;
    empty.slice = {.queryBegin = 3, .queryEnd = 3};
    large.height = 5000;
    refused([&] { return traceTile(*plain.trace, 1, empty); });
    refused([&] { return traceTile(*plain.trace, 1, large); });
    refused([&] { return groupMass(*plain.trace, 1, {{1}, {1}}); });
    refused([&] { return groupMass(*plain.trace, 1, {}); });
    refused([&] { return groupMass(*plain.trace, 1, {{40}}); });
    refused([&] { return columnTop(*plain.trace, 1, 65); });
    refused([&] { return collect(*plain.trace, 1, ramp(39, 1)); });
    refused([&] { return collect(*plain.trace, 1, ramp(40, 9)); });
    refused([&] { return collect(*plain.trace, 1, ramp(40, 1), {4}); });
    refused([&] { return collectRelevance(*plain.trace, 1, RelevancePart::Positive, ramp(40, 1)); });
}

TEST_CASE("logits that are not finite are left to explicit products, once it is known") {
    ToyOptions options;
    options.tokens = 22;
    const Recorded on = recorded("plain", options);
    SiteRecord broken;
    broken.call = on.record().call;
    broken.call.query = broken.call.query.clone();
    broken.call.query[0][1][3][0] = std::numeric_limits<float>::quiet_NaN();
    broken.queryTokens = broken.keyTokens = on.record().queryTokens;
    const AttentionOperator& op = *on.trace->impl()->op;
    CHECK(broken.kernelsDecline(op, Weights::Base) == "");
    CHECK_FALSE(broken.kernelLse(SiteRecord::Lookup::Compute).defined());
    CHECK(broken.kernelsDecline(op, Weights::Base) != "");
    std::string declined;
    CHECK_FALSE(kernelColumns(broken, {1}, declined));
    CHECK(declined != "");
}
