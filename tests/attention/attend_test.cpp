#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "attention/toy_model.h"
#include "attention/trace_impl.h"
#include "fovea/kernels/kernels.h"
#include "fovea/run.h"

using namespace fovea;
using namespace fovea::test;

namespace {

CaptureRequest everything() { return CaptureRequest::parse("qkv,lse,stats,probs,hidden,attention_output,output,input"); }

struct Reference {
    std::vector<double> probs, lse, entropy, colsum, colmax, rowmax;
};

// The float64 loops of kernels/reference on the recorded Q and K.
Reference referenceOf(const AttentionTrace& trace, int site) {
    const SiteRecord& record = trace.impl()->record(site);
    const AttentionCall& call = record.call;
    const at::Tensor q = call.query[0].to(at::kDouble).contiguous(), k = call.key[0].to(at::kDouble).contiguous();
    at::Tensor bias;
    if (call.bias.defined()) bias = call.bias[0].to(at::kDouble).contiguous();
    const auto heads = q.size(0), tq = q.size(1), tk = k.size(1);
    Reference out{std::vector<double>(heads * tq * tk), std::vector<double>(heads * tq), std::vector<double>(heads * tq),
                  std::vector<double>(heads * tk), std::vector<double>(heads * tk), std::vector<double>(heads * tq)};
    const fv_reference_problem problem{q.const_data_ptr<double>(), k.const_data_ptr<double>(),
                                       bias.defined() ? bias.const_data_ptr<double>() : nullptr,
                                       heads, k.size(0), tq, tk, q.size(2), call.scale, call.causal, call.queryOffset};
    const fv_reference_result result{out.probs.data(), out.lse.data(), out.entropy.data(), out.rowmax.data(),
                                     out.colsum.data(), out.colmax.data()};
    REQUIRE(fv_reference_attention(&problem, &result) == FV_OK);
    return out;
}

double largest(const Array& a, const std::vector<double>& b) {
    REQUIRE(a.values.size() == b.size());
    double worst = 0;
    for (std::size_t i = 0; i < b.size(); ++i) worst = std::max(worst, std::abs(a.values[i] - b[i]));
    return worst;
}

}  // namespace

TEST_CASE("observation does not change the answer, bit for bit") {
    for (const bool causal : {false, true})
        for (const bool bias : {false, true}) {
            ToyOptions options;
            options.tokens = 31;
            options.causal = causal;
            options.bias = bias && !causal;
            const auto model = makeToyModel(options);
            const auto input = makeToyInput(options);
            RunSpec plain, observed;
            observed.capture = everything();
            observed.checkpoints.everyBlocks = 1;
            const Array a = runModel(*model, *input, plain).trace->output("logits");
            const Array b = runModel(*model, *input, observed).trace->output("logits");
            CHECK(a == b);
        }
}

TEST_CASE("probabilities and statistics equal the float64 reference") {
    std::vector<ToyOptions> cases(4);
    cases[1].causal = true;
    cases[2].bias = true;
    cases[3].keyValueHeads = 2;
    for (ToyOptions& options : cases) {
        options.tokens = 40;
        const auto model = makeToyModel(options);
        const auto input = makeToyInput(options);
        RunSpec spec;
        spec.capture = everything();
        const auto trace = runModel(*model, *input, spec).trace;
        for (const int site : trace->sites()) {
            const Reference reference = referenceOf(*trace, site);
            CHECK(largest(trace->probabilities(site), reference.probs) < 1e-6);
            CHECK(largest(trace->logSumExp(site), reference.lse) < 2e-6);
            const SiteStatistics stats = trace->statistics(site);
            CHECK(stats.route == "kernel");
            CHECK(largest(stats.entropy, reference.entropy) < 4e-6);
            CHECK(largest(stats.rowmax, reference.rowmax) < 1e-6);
            CHECK(largest(stats.colsum, reference.colsum) < 1e-5);
            CHECK(largest(stats.colmax, reference.colmax) < 1e-6);
            const Array probs = trace->probabilities(site);
            for (int head = 0; head < 4; ++head)
                for (int query = 0; query < 40; ++query)
                    for (int k = 0; k < 8; ++k) {
                        const auto key = static_cast<int>(stats.topkIndex.at(head, query, k));
                        CHECK(std::abs(stats.topkValue.at(head, query, k) - probs.at(head, query, key)) < 1e-6);
                        if (k) CHECK(stats.topkValue.at(head, query, k) <= stats.topkValue.at(head, query, k - 1));
                    }
            const SiteStatistics slow = trace->statistics(site, {8, 4});  // the kernels pool 8 cells and more
            CHECK(slow.route == "explicit: a pooled block outside 8 to 512");
            CHECK(largestDifference(slow.colsum, stats.colsum) < 1e-5);
            CHECK(largestDifference(slow.colmax, stats.colmax) < 1e-6);
            CHECK(largestDifference(slow.entropy, stats.entropy) < 4e-6);
            CHECK(largestDifference(slow.topkValue, stats.topkValue) < 1e-6);
            CHECK(slow.topkIndex == stats.topkIndex);
            double cell = 0;  // the last pooled cell is 8 x 8: 40 = 5 x 8
            for (int query = 32; query < 40; ++query)
                for (int key = 32; key < 40; ++key) cell += probs.at(1, query, key) / 64;
            CHECK(stats.pooled.at(1, 4, 4) == doctest::Approx(cell).epsilon(1e-5));
        }
    }
}

TEST_CASE("slices, rows, columns and fused maps are parts of the whole") {
    ToyOptions options;
    options.tokens = 22;
    const auto trace = [&] {
        RunSpec spec;
        spec.capture = everything();
        return runModel(*makeToyModel(options), *makeToyInput(options), spec).trace;
    }();
    const Array whole = trace->probabilities(1);
    const Array part = trace->probabilities(1, {1, 3, 4, 9, 2, 20});
    REQUIRE(part.shape == std::vector<std::int64_t>{2, 5, 18});
    for (int h = 0; h < 2; ++h)
        for (int q = 0; q < 5; ++q)
            for (int k = 0; k < 18; ++k) CHECK(part.at(h, q, k) == doctest::Approx(whole.at(h + 1, q + 4, k + 2)));
    const Array rows = trace->rows(1, {3, 0});
    const Array columns = trace->columns(1, {21});
    const Array mean = trace->fused(1, HeadFusion::Mean), top = trace->fused(1, HeadFusion::Max, {2});
    CHECK(rows.at(2, 0, 5) == doctest::Approx(whole.at(2, 3, 5)));
    CHECK(rows.at(2, 1, 5) == doctest::Approx(whole.at(2, 0, 5)));
    CHECK(columns.at(3, 7, 0) == doctest::Approx(whole.at(3, 7, 21)));
    CHECK(top.at(6, 8) == doctest::Approx(whole.at(2, 6, 8)));
    const double sum = whole.at(0, 6, 8) + whole.at(1, 6, 8) + whole.at(2, 6, 8) + whole.at(3, 6, 8);
    CHECK(mean.at(6, 8) == doctest::Approx(sum / 4));
    CHECK_THROWS_AS(trace->probabilities(1, {0, -1, 5, 4}), Error);
    CHECK_THROWS_AS(trace->probabilities(99), Error);
}

TEST_CASE("the fused and the explicit route agree and say why others declined") {
    ToyOptions options;
    options.tokens = 61;
    RunSpec fused, explicitly;
    explicitly.route = RouteChoice::Explicit;
    const RunResult a = runModel(*makeToyModel(options), *makeToyInput(options), fused);
    const RunResult b = runModel(*makeToyModel(options), *makeToyInput(options), explicitly);
    CHECK(largestDifference(a.trace->output("logits"), b.trace->output("logits")) < 2e-6);
    REQUIRE(a.routes.size() == 1);
    CHECK(a.routes[0].route == "flash_cpu");
    CHECK(a.routes[0].calls == 3);
    CHECK(a.routes[0].declined.front() == "cudnn: needs a CUDA device");
    CHECK(b.routes[0].route == "explicit");
    options.softcap = 2;
    const RunResult capped = runModel(*makeToyModel(options), *makeToyInput(options), fused);
    CHECK(capped.routes[0].route == "kernel");
    CHECK(capped.notices.empty());
    const RunResult plain = runModel(*makeToyModel(options), *makeToyInput(options), explicitly);
    CHECK(largestDifference(capped.trace->output("logits"), plain.trace->output("logits")) < 2e-6);
    CHECK(plain.notices.empty());
}

TEST_CASE("a fall-back to explicit products is said") {
    ToyOptions options;
    options.softcap = 2;
    options.dtype = at::kDouble;  // no kernel
    const RunResult result = runModel(*makeToyModel(options), *makeToyInput(options), {});
    CHECK(result.routes[0].route == "explicit");
    REQUIRE(result.notices.size() == 1);
    CHECK(result.notices[0].find("3 attentions ran by explicit matrix products") == 0);
    CHECK(result.notices[0].find("kernel: no Double kernel") != std::string::npos);
}

TEST_CASE("bf16 keeps statistics in fp32") {
    ToyOptions options;
    options.tokens = 40;
    options.dtype = at::kBFloat16;
    RunSpec spec;
    spec.capture = everything();
    const auto trace = runModel(*makeToyModel(options), *makeToyInput(options), spec).trace;
    const Reference reference = referenceOf(*trace, 2);
    CHECK(largest(trace->logSumExp(2), reference.lse) < 2e-6);
    CHECK(largest(trace->statistics(2).colsum, reference.colsum) < 1e-5);
}

TEST_CASE("a run that does not fit is refused before it starts, with its estimate") {
    RunSpec spec;
    spec.budget = 1200;
    CHECK_NOTHROW(runModel(*makeToyModel(), *makeToyInput(), spec));
    spec.capture = everything();
    try {
        runModel(*makeToyModel(), *makeToyInput(), spec);
        FAIL("expected a refusal");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::Memory);
        CHECK(std::string(error.what()).find("1.5 KiB") != std::string::npos);
        CHECK(error.hint().find("--budget") != std::string::npos);
    }
}

TEST_CASE("a stopped job throws Cancelled from inside the run") {
    std::stop_source source;
    int seen = 0;
    const JobContext job(source.get_token(), [&](double, std::string_view) {
        if (++seen == 3) source.request_stop();
    });
    CHECK_THROWS_AS(runModel(*makeToyModel(), *makeToyInput(), {}, job), Cancelled);
    CHECK(seen == 3);
}
