#include <doctest/doctest.h>

#include <cmath>

#include "attention/toy_model.h"
#include "fovea/run.h"

using namespace fovea;
using namespace fovea::test;

namespace {

RunResult runWith(const EditPlan& edits, const ToyOptions& options = {},
                  std::shared_ptr<const RunState> resume = nullptr) {
    RunSpec spec;
    spec.capture = CaptureRequest::parse("probs,hidden,output");
    spec.checkpoints.everyBlocks = 1;
    spec.edits = edits;
    spec.resume = std::move(resume);
    return runModel(*makeToyModel(options), *makeToyInput(options), spec);
}

EditPlan withFactor(int site, const GroupFactor& factor) {
    EditPlan plan;
    plan.at(site).factors.push_back(factor);
    return plan;
}

double rowSum(const Array& probs, int head, int query) {
    double sum = 0;
    for (int key = 0; key < probs.size(2); ++key) sum += probs.at(head, query, key);
    return sum;
}

}  // namespace

TEST_CASE("group factors: closed forms of the three row-sum rules") {
    const Array base = runWith({}).trace->probabilities(0);
    const double factor = 0.25;
    for (const RowSum rule : {RowSum::Free, RowSum::Compensate, RowSum::Renormalise}) {
        GroupFactor group;
        group.heads = {1, 3};
        group.queries = {0, 5};
        group.keys = {2, 4};
        group.factor = factor;
        group.rowSum = rule;
        const auto trace = runWith(withFactor(0, group)).trace;
        const Array edited = trace->probabilities(0);
        CHECK(largestDifference(trace->probabilities(0, {}, Weights::Base), base) == 0);
        for (int head = 0; head < 4; ++head)
            for (int query = 0; query < 7; ++query) {
                const bool selected = (head == 1 || head == 3) && (query == 0 || query == 5);
                const double mass = base.at(head, query, 2) + base.at(head, query, 4);
                for (int key = 0; key < 7; ++key) {
                    const bool inGroup = key == 2 || key == 4;
                    double expected = base.at(head, query, key);
                    if (selected && inGroup) expected *= factor;
                    if (selected && rule == RowSum::Renormalise) expected /= 1 - mass + factor * mass;
                    if (selected && rule == RowSum::Compensate && !inGroup)
                        expected *= (1 - factor * mass) / (1 - mass);
                    CHECK(edited.at(head, query, key) == doctest::Approx(expected).epsilon(1e-5));
                }
                const double expectedSum = selected && rule == RowSum::Free ? 1 - (1 - factor) * mass : 1;
                CHECK(rowSum(edited, head, query) == doctest::Approx(expectedSum).epsilon(1e-6));
            }
    }
}

TEST_CASE("compensation can be taken by chosen keys only, and never goes below zero") {
    GroupFactor group;
    group.keys = {1};
    group.factor = 0;
    group.rowSum = RowSum::Compensate;
    group.compensateKeys = {6};
    const Array base = runWith({}).trace->probabilities(2);
    const Array edited = runWith(withFactor(2, group)).trace->probabilities(2);
    CHECK(edited.at(0, 3, 6) == doctest::Approx(base.at(0, 3, 6) + base.at(0, 3, 1)).epsilon(1e-5));
    CHECK(edited.at(0, 3, 2) == doctest::Approx(base.at(0, 3, 2)).epsilon(1e-6));
    group.factor = 1e6;
    const Array greedy = runWith(withFactor(2, group)).trace->probabilities(2);
    for (const float value : greedy.values) CHECK((value >= 0 && value <= 1.00001F));
    CHECK(rowSum(greedy, 2, 2) == doctest::Approx(1).epsilon(1e-5));
}

TEST_CASE("temperature equals scaled logits, gains scale a head's output, a gain of 0 mutes it") {
    EditPlan plan;
    plan.at(0).temperature = {1, 2, 1, 1};
    const Array base = runWith({}).trace->probabilities(0);
    const Array edited = runWith(plan).trace->probabilities(0);
    double sum = 0;
    for (int key = 0; key < 7; ++key) sum += std::sqrt(base.at(1, 4, key));
    CHECK(edited.at(1, 4, 3) == doctest::Approx(std::sqrt(base.at(1, 4, 3)) / sum).epsilon(1e-5));
    CHECK(edited.at(0, 4, 3) == doctest::Approx(base.at(0, 4, 3)).epsilon(1e-6));

    EditPlan muted;
    muted.at(1).headGain = {0, 1, 1, 1};
    GroupFactor all;
    all.heads = {0};
    all.keys = {0, 1, 2, 3, 4, 5, 6};
    all.factor = 0;
    const Array byGain = runWith(muted).trace->output("logits");
    const Array byFactor = runWith(withFactor(1, all)).trace->output("logits");
    CHECK(largestDifference(byGain, byFactor) < 1e-6);
    CHECK(largestDifference(byGain, runWith({}).trace->output("logits")) > 1e-4);
}

TEST_CASE("identity edits change no bit") {
    EditPlan plan;
    plan.at(0).temperature = {1, 1, 1, 1};
    plan.at(1).headGain = {1, 1, 1, 1};
    GroupFactor one;
    one.keys = {1, 2};
    plan.at(2).factors.push_back(one);
    CHECK(runWith(plan).trace->output("logits") == runWith({}).trace->output("logits"));
    plan.dropIdentities();
    CHECK(plan.empty());
}

TEST_CASE("an edit in the last block re-runs one block and equals the full run") {
    const RunResult base = runWith({});
    CHECK(base.blocksRun == 3);
    GroupFactor group;
    group.keys = {0};
    group.factor = 0;
    group.rowSum = RowSum::Renormalise;
    const EditPlan plan = withFactor(2, group);
    const RunResult full = runWith(plan), resumed = runWith(plan, {}, base.state);
    CHECK(resumed.blocksRun == 1);
    CHECK(resumed.blocksResumed == 2);
    CHECK(resumed.trace->output("logits") == full.trace->output("logits"));
    CHECK(resumed.trace->sites() == full.trace->sites());
    CHECK(resumed.trace->probabilities(0) == full.trace->probabilities(0));
    CHECK(resumed.trace->hidden("vision", 1) == full.trace->hidden("vision", 1));
    // Taking the edit away again resumes from the edited run's own checkpoints.
    const RunResult back = runWith({}, {}, resumed.state);
    CHECK(back.blocksRun == 1);
    CHECK(back.trace->output("logits") == base.trace->output("logits"));
}

TEST_CASE("pruned tokens leave the sequence, those that remain keep their identity") {
    EditPlan plan;
    plan.prunes = {{"vision", 1, {2, 5}}};
    ToyOptions options;
    options.bias = true;
    const RunResult pruned = runWith(plan, options), base = runWith({}, options);
    CHECK(pruned.trace->keys(0) == 7);
    CHECK(pruned.trace->keys(1) == 5);
    CHECK(pruned.trace->keyTokens(2) == std::vector<int>{0, 1, 3, 4, 6});
    CHECK(pruned.trace->probabilities(0) == base.trace->probabilities(0));
    CHECK(pruned.trace->hidden("vision", 1).shape == std::vector<std::int64_t>{5, 16});
    const RunResult resumed = runWith(plan, options, base.state);
    CHECK(resumed.blocksRun == 2);
    CHECK(resumed.trace->output("logits") == pruned.trace->output("logits"));
    // Edits name tokens, not positions: token 6 is the fifth row after pruning.
    GroupFactor group;
    group.keys = {6, 2};
    group.factor = 0;
    plan.at(2).factors.push_back(group);
    const Array edited = runWith(plan, options).trace->probabilities(2);
    CHECK(edited.at(0, 0, 4) == 0);
    CHECK(edited.at(0, 0, 1) > 0);
    plan.prunes = {{"vision", 0, {0, 1, 2, 3, 4, 5, 6}}};
    CHECK_THROWS_AS(runWith(plan, options), Error);
}

TEST_CASE("gradients: input and probabilities against finite differences") {
    ToyOptions options;
    options.dtype = at::kDouble;
    const auto model = makeToyModel(options);
    const auto input = makeToyInput(options);
    RunSpec spec;
    spec.objective = Objective{};
    spec.objective->classIndex = 1;
    spec.gradients = {true, true};
    const RunResult result = runModel(*model, *input, spec);
    REQUIRE(result.inputGradient.shape == std::vector<std::int64_t>{7, 16});
    CHECK(result.objectiveClass == 1);

    // Along the input itself: d f(s x) / d s at s = 1 is <gradient, x>.
    const auto at = [&](double scale) {
        RunSpec moved;
        moved.objective = spec.objective;
        moved.perturbation.scale = scale;
        return runModel(*model, *input, moved).objective;
    };
    double product = 0;
    for (std::size_t i = 0; i < result.inputGradient.values.size(); ++i)
        product += static_cast<double>(result.inputGradient.values[i]) * result.inputTensor.values[i];
    CHECK(product == doctest::Approx((at(1 + 1e-4) - at(1 - 1e-4)) / 2e-4).epsilon(1e-3));

    // Along one key's probabilities: a free factor F on key 3 gives df/dF = sum A * dA at F = 1.
    const auto factored = [&](double factor) {
        RunSpec edited;
        edited.objective = spec.objective;
        GroupFactor group;
        group.keys = {3};
        group.factor = factor;
        edited.edits = withFactor(1, group);
        return runModel(*model, *input, edited).objective;
    };
    const Array gradient = result.trace->probabilityGradient(1), probs = result.trace->probabilities(1);
    double expected = 0;
    for (int head = 0; head < 4; ++head)
        for (int query = 0; query < 7; ++query) expected += gradient.at(head, query, 3) * probs.at(head, query, 3);
    CHECK(expected == doctest::Approx((factored(1 + 1e-4) - factored(1 - 1e-4)) / 2e-4).epsilon(1e-3));
}

TEST_CASE("noise is reproducible from its seed") {
    RunSpec spec;
    spec.perturbation.noise = 0.1;
    spec.perturbation.seed = 5;
    const auto logits = [&] { return runModel(*makeToyModel(), *makeToyInput(), spec).trace->output("logits"); };
    const Array first = logits();
    CHECK(first == logits());
    spec.perturbation.seed = 6;
    CHECK_FALSE(first == logits());
}
