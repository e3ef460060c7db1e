// Edits by the own forward kernel against edited probabilities times V.
#include <doctest/doctest.h>

#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "attention/kernel_forward.h"
#include "attention/probabilities.h"
#include "attention/toy_model.h"
#include "fovea/run.h"

using namespace fovea;
using namespace fovea::test;

namespace {

AttentionCall randomCall(bool causal, bool bias, std::int64_t keyHeads, at::ScalarType type = at::kFloat) {
    AttentionCall call;
    call.query = at::randn({1, 4, 33, 8}).to(type);
    call.key = at::randn({1, keyHeads, 33, 8}).to(type);
    call.value = at::randn({1, keyHeads, 33, 8}).to(type);
    call.scale = 0.4;
    call.causal = causal;
    if (bias) {
        call.bias = at::randn({1, 4, 33, 33});
        call.bias.select(3, 7).fill_(-std::numeric_limits<float>::infinity());
    }
    return call;
}

at::Tensor explicitly(const AttentionCall& call, const SiteEdit& edit, const std::vector<std::int64_t>& heads) {
    SiteEdit ungained = edit;
    ungained.headGain.clear();
    const auto dense = makeDenseOperator();
    const std::int64_t group = call.query.size(1) / call.key.size(1);
    std::vector<at::Tensor> parts;
    for (const std::int64_t head : heads) {
        const at::Tensor probs = blockProbabilities(*dense, call, &ungained, {head, head + 1, 0, 33});
        parts.push_back(at::matmul(probs, call.value[0][head / group].to(at::kFloat)));
    }
    return at::cat(parts, 0).unsqueeze(0);
}

GroupFactor factorOn(std::vector<int> keys, double factor, RowSum rule) {
    GroupFactor out;
    out.keys = std::move(keys);
    out.factor = factor;
    out.rowSum = rule;
    return out;
}

std::vector<SiteEdit> edits() {
    std::vector<SiteEdit> list;
    for (const RowSum rule : {RowSum::Free, RowSum::Renormalise, RowSum::Compensate})
        for (const double factor : {0.0, 0.3, 4.0, 1e6}) {
            SiteEdit edit;
            edit.factors = {factorOn({0, 5, 6, 32}, factor, rule)};
            list.push_back(edit);
            edit.factors[0].heads = {2, 0};
            edit.factors[0].queries = {1, 2, 20};
            list.push_back(edit);
            edit.factors[0].compensateKeys = {1, 2, 5};
            edit.factors.push_back(factorOn({2, 5, 9}, 0.5, RowSum::Renormalise));
            edit.factors.push_back(factorOn({5}, 2, RowSum::Compensate));
            edit.temperature = {1, 2, 0.5, 2};
            list.push_back(edit);
        }
    SiteEdit everything;  // rows of sum 0
    std::vector<int> all(33);
    for (int key = 0; key < 33; ++key) all[static_cast<std::size_t>(key)] = key;
    everything.factors = {factorOn(all, 0, RowSum::Renormalise)};
    list.push_back(everything);
    SiteEdit warmer;
    warmer.temperature = {1, 1, 3, 1};
    list.push_back(warmer);
    return list;
}

}  // namespace

TEST_CASE("the forward kernel edits as edited probabilities do") {
    for (const AttentionCall& call : {randomCall(false, false, 4), randomCall(true, false, 2),
                                      randomCall(false, true, 1), randomCall(true, true, 4)})
        for (const SiteEdit& edit : edits()) {
            const std::vector<std::int64_t> heads = recomputedHeads(edit, 4);
            REQUIRE_FALSE(heads.empty());
            std::string declined;
            const at::Tensor found = editedHeads(call, edit, heads, declined);
            CHECK(declined == "");
            REQUIRE(found.defined());
            const at::Tensor expected = explicitly(call, edit, heads);
            REQUIRE(found.sizes() == expected.sizes());
            const double largest = std::max(1.0, expected.abs().max().item<double>());
            CHECK((found - expected).abs().max().item<double>() < 5e-6 * largest);
        }
}

TEST_CASE("bf16 is edited in its own type") {
    const AttentionCall call = randomCall(true, false, 2, at::kBFloat16);
    SiteEdit edit;
    edit.factors = {factorOn({0, 3}, 0.25, RowSum::Compensate)};
    std::string declined;
    const at::Tensor found = editedHeads(call, edit, {1, 2}, declined);
    REQUIRE(found.defined());
    CHECK((found.scalar_type() == at::kBFloat16));
    CHECK((found.to(at::kFloat) - explicitly(call, edit, {1, 2})).abs().max().item<double>() < 0.03);
}

TEST_CASE("an edit says how it ran, and why not by the kernel") {
    RunSpec spec;
    spec.edits.at(1).factors = {factorOn({2}, 0.5, RowSum::Compensate)};
    const auto model = makeToyModel();
    const auto input = makeToyInput();
    const RunResult kernel = runModel(*model, *input, spec);
    REQUIRE(kernel.routes.size() == 2);
    CHECK(kernel.routes[1].route == "edit by the kernel");
    CHECK(kernel.notices.empty());
    spec.route = RouteChoice::Explicit;
    const RunResult plain = runModel(*model, *input, spec);
    CHECK(plain.routes[1].route == "edit by explicit products");
    CHECK(largestDifference(kernel.trace->output("logits"), plain.trace->output("logits")) < 2e-6);
    spec.route = RouteChoice::Auto;
    spec.objective = Objective{};
    spec.gradients.input = true;
    const RunResult gradients = runModel(*model, *input, spec);
    CHECK(gradients.routes[1].declined == std::vector<std::string>{"kernel: has no gradient"});
    REQUIRE(gradients.notices.size() == 1);
    CHECK(gradients.notices[0].find("has no gradient") != std::string::npos);

    AttentionCall capped = randomCall(false, false, 4);
    capped.softcap = 3;
    SiteEdit warmer;
    warmer.temperature = {2, 1, 1, 1};
    std::string declined;
    CHECK_FALSE(editedHeads(capped, warmer, {0}, declined).defined());
    CHECK(declined == "a temperature on capped logits");
    SiteEdit many;
    for (int key = 0; key < 33; ++key) many.factors.push_back(factorOn({key}, 0.5, RowSum::Free));
    CHECK_FALSE(editedHeads(randomCall(false, false, 4), many, {0}, declined).defined());
    CHECK(declined.find("classes of keys") != std::string::npos);
}
