// Taps, outputs of heads, masked rows, budgets and the refusal of checkpoints that belong elsewhere.
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <doctest/doctest.h>

#include <limits>

#include "attention/routes.h"
#include "attention/run_state.h"
#include "attention/toy_model.h"
#include "attention/trace_impl.h"
#include "fovea/error.h"
#include "fovea/reference_check.h"
#include "fovea/run.h"
#include "nn/vision_input.h"

using namespace fovea;
using namespace fovea::test;

namespace {

ErrorCode codeOf(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.code();
    }
    FAIL("no error");
    return {};
}

EditPlan muted() {
    EditPlan plan;
    plan.at(2).headGain = {0, 1, 1, 1};
    return plan;
}

// A record like another, with its route's results replaced.
std::shared_ptr<const AttentionTrace> tampered(const AttentionTrace& trace, int site, double lse,
                                               double output) {
    auto impl = std::make_shared<AttentionTrace::Impl>(*trace.impl());
    const SiteRecord& from = trace.impl()->record(site);
    auto record = std::make_shared<SiteRecord>();
    record->call = from.call;
    record->queryTokens = from.queryTokens;
    record->keyTokens = from.keyTokens;
    record->lse = from.lse + lse;
    record->headOutput = from.headOutput * output;
    impl->records[site] = record;
    return std::make_shared<const AttentionTrace>(impl);
}

}  // namespace

TEST_CASE("taps record what blocks add, change nothing, and are known by name") {
    const auto model = makeToyModel();
    const auto input = makeToyInput();
    RunSpec plain, tapped;
    tapped.capture = CaptureRequest::parse("attention_output,hidden,output");
    tapped.capture.taps = {"vision.[0-9].mlp", "vision.*.mlp"};
    CHECK(codeOf([&] { runModel(*model, *input, tapped); }) == ErrorCode::Usage);  // no classes in globs
    tapped.capture.taps = {"vision.0.mlp", "vision.2.*"};
    const auto trace = runModel(*model, *input, tapped).trace;
    CHECK(trace->tapNames() == std::vector<std::string>{"vision.0.mlp", "vision.2.mlp"});
    for (const int block : {0, 2}) {
        Array sum = trace->hidden("vision", block);
        const Array tap = trace->tap("vision." + std::to_string(block) + ".mlp");
        const Array attention = trace->attentionOutput(block);
        for (std::size_t i = 0; i < sum.values.size(); ++i)
            sum.values[i] += attention.values[i] + tap.values[i];
        CHECK(largestDifference(sum, trace->hidden("vision", block + 1)) < 1e-6);
    }
    CHECK(trace->output("logits") == runModel(*model, *input, plain).trace->output("logits"));
    CHECK(codeOf([&] { trace->tap("vision.1.mlp"); }) == ErrorCode::Usage);

    RunSpec first, second = tapped;
    first.checkpoints.everyBlocks = 1;
    second.resume = runModel(*model, *input, first).state;
    second.edits = muted();
    const RunResult resumed = runModel(*model, *input, second);
    CHECK(resumed.trace->tapNames().size() == 2);
    CHECK(resumed.blocksResumed == 0);
}

TEST_CASE("what a route computed is checked against float64 loops on the same Q, K, V and bias") {
    std::vector<ToyOptions> cases(6);
    cases[1].causal = true;
    cases[2].bias = true;
    cases[3].keyValueHeads = 2;
    cases[4].softcap = 1.5;
    cases[5].softcap = 1.5;
    cases[5].bias = true;
    for (ToyOptions& options : cases) {
        options.tokens = 31;
        RunSpec spec;
        spec.capture.qkv = spec.capture.headOutput = true;
        const auto model = makeToyModel(options);
        const auto input = makeToyInput(options);
        const auto trace = runModel(*model, *input, spec).trace;
        for (const int site : trace->sites()) {
            CHECK(trace->headOutput(site).shape == std::vector<std::int64_t>{4, 31, 4});
            const ReferenceCheck check = checkAgainstReference(*trace, site);
            CHECK(check.finite);
            CHECK(check.probabilities < 1e-6);
            CHECK(check.logSumExp < 5e-5);
            REQUIRE(check.output);
            CHECK(*check.output < 1e-5);
        }
        CHECK(checkAgainstReference(*tampered(*trace, 0, 0.01, 1), 0).logSumExp ==
              doctest::Approx(0.01).epsilon(0.01));
        CHECK(*checkAgainstReference(*tampered(*trace, 0, 0, 1.5), 0).output > 0.1);
        CHECK_FALSE(checkAgainstReference(*tampered(*trace, 0, std::nan(""), 1), 0).finite);
        spec.edits = muted();
        CHECK_FALSE(checkAgainstReference(*runModel(*model, *input, spec).trace, 2).output);
    }
}

TEST_CASE("a query that may see no key adds zero on every route, with finite gradients") {
    AttentionCall call;
    call.query = at::randn({1, 2, 5, 8});
    call.key = at::randn({1, 2, 5, 8});
    call.value = at::randn({1, 2, 5, 8});
    call.bias = at::zeros({1, 1, 5, 5});
    call.bias.select(2, 3).fill_(-std::numeric_limits<float>::infinity());
    call.query.requires_grad_(true);
    const auto dense = makeDenseOperator();
    for (const RouteChoice choice : {RouteChoice::Auto, RouteChoice::Explicit}) {
        const RouteOutput result = RouteTable(choice).run(call, *dense);
        CHECK(at::isfinite(result.output).all().item<bool>());
        CHECK(result.output.select(2, 3).abs().max().item<double>() == 0);
        CHECK(result.output.select(2, 2).abs().max().item<double>() > 0);
    }
    RouteTable(RouteChoice::Explicit).run(call, *dense).output.sum().backward();
    CHECK(at::isfinite(call.query.grad()).all().item<bool>());
    SiteRecord record;
    record.call = call;
    record.call.query = call.query.detach();
    record.queryTokens = record.keyTokens = {0, 1, 2, 3, 4};
    const SiteStatistics statistics = computeStatistics(*dense, record, {});
    CHECK(statistics.entropy.at(0, 3) == 0);
    CHECK(statistics.rowmax.at(1, 3) == 0);
    CHECK(statistics.colsum.at(0, 0) > 0);
}

TEST_CASE("a bias that does not fit is refused before an operator sees it") {
    AttentionCall call;
    call.query = call.key = call.value = at::randn({1, 2, 5, 8});
    for (const at::Tensor& bias : {at::zeros({1, 2, 5, 4}), at::zeros({1, 3, 5, 5}), at::zeros({2, 1, 5, 5}),
                                   at::zeros({5, 5}, at::TensorOptions(at::kLong))}) {
        call.bias = bias;
        CHECK(codeOf([&] { checkCall(call); }) == ErrorCode::Internal);
    }
    call.bias = at::zeros({5});
    checkCall(call);
}

TEST_CASE("checkpoints of another input, route or model are refused") {
    const auto model = makeToyModel();
    const auto input = makeToyInput({}, 2);
    RunSpec spec;
    spec.checkpoints.everyBlocks = 1;
    RunSpec next;
    next.resume = runModel(*model, *input, spec).state;
    next.edits = muted();
    CHECK(runModel(*model, *input, next).blocksResumed == 2);
    RunSpec other = next;
    other.item = 1;
    CHECK(codeOf([&] { runModel(*model, *input, other); }) == ErrorCode::Usage);
    other = next;
    other.perturbation.scale = 0.5;
    CHECK(codeOf([&] { runModel(*model, *input, other); }) == ErrorCode::Usage);
    other = next;
    other.route = RouteChoice::Explicit;
    CHECK(codeOf([&] { runModel(*model, *input, other); }) == ErrorCode::Usage);
    ToyOptions deeper;
    deeper.blocks = 4;
    CHECK(codeOf([&] { runModel(*makeToyModel(deeper), *input, next); }) == ErrorCode::Usage);
}

TEST_CASE("estimates count checkpoints, edits under gradients and gradients at the attention") {
    const auto model = makeToyModel();
    const auto input = makeToyInput();
    RunSpec plain, checkpoints;
    const std::uint64_t base = runModel(*model, *input, plain).estimate.run();
    checkpoints.checkpoints.everyBlocks = 1;
    constexpr std::uint64_t stream = 7 * 16 * 4;
    CHECK(runModel(*model, *input, checkpoints).estimate.run() == base + 3 * stream);
    checkpoints.budget = base + 2 * stream + 1;
    const RunResult two = runModel(*model, *input, checkpoints);
    REQUIRE(two.state);
    CHECK(two.state->bytes == 2 * stream);
    checkpoints.budget = base;
    CHECK_FALSE(runModel(*model, *input, checkpoints).state);

    RunSpec gradients;
    gradients.objective = Objective{};
    gradients.gradients.input = true;
    const std::uint64_t before = runModel(*model, *input, gradients).estimate.gradients;
    GroupFactor factor;
    factor.keys = {1};
    factor.heads = {0, 2};
    factor.factor = 0.5;
    gradients.edits.at(1).factors = {factor};
    CHECK(runModel(*model, *input, gradients).estimate.gradients >= before + 2 * 2 * 7 * 7 * 4);
}

TEST_CASE("gradients at the attention are those of the sites that the capture lists") {
    RunSpec spec;
    spec.objective = Objective{};
    spec.gradients.attention = true;
    const auto model = makeToyModel();
    CHECK(runModel(*model, *makeToyInput(), spec).trace->sites().size() == 3);
    spec.capture.sites = {"vision.1.*"};
    const auto trace = runModel(*model, *makeToyInput(), spec).trace;
    CHECK(trace->sites() == std::vector<int>{1});
    CHECK(trace->hasGradient(1));
}

TEST_CASE("whole numbers have no gradient, and a sequence has an end") {
    auto ids = std::make_shared<TensorInput>();
    ids->items.push_back({{"pixel_values", at::zeros({1, 7, 16}, at::TensorOptions(at::kLong))}});
    ids->maps = makeToyInput()->maps;
    RunSpec spec;
    spec.objective = Objective{};
    spec.gradients.input = true;
    CHECK(codeOf([&] { runModel(*makeToyModel(), *ids, spec); }) == ErrorCode::Usage);

    VisionTransformerSpec tower;
    tower.patches.height = tower.patches.width = 1;
    CHECK(codeOf([&] {
              VisionInput(tower, ImageProcessor::forFamily("vit", 600)).fromPicture(Pixels(8, 8));
          }) == ErrorCode::Input);
    CHECK(VisionInput(tower, ImageProcessor::forFamily("vit", 20)).fromPicture(Pixels(8, 8)).tokens.size() ==
          400);
}

TEST_CASE("the first site whose values are not finite is named, and none where all are") {
    const auto model = makeToyModel();
    const auto input = makeToyInput();
    RunSpec spec;
    const auto notFinite = [&] {
        std::vector<std::string> found;
        for (const std::string& notice : runModel(*model, *input, spec).notices)
            if (notice.find("not finite") != std::string::npos) found.push_back(notice);
        return found;
    };
    CHECK(notFinite().empty());
    spec.edits.at(1).headGain = {1, std::numeric_limits<double>::infinity(), 1, 1};
    const std::vector<std::string> found = notFinite();
    REQUIRE(found.size() == 1);
    CHECK(found[0].find("first at " + model->spec().sites[1].address()) != std::string::npos);
}

TEST_CASE("a bias that all layers share is counted once") {
    ToyOptions options;
    RunSpec spec;
    spec.capture.qkv = true;
    const std::uint64_t without =
        runModel(*makeToyModel(options), *makeToyInput(options), spec).trace->bytes();
    options.bias = true;
    const std::uint64_t with = runModel(*makeToyModel(options), *makeToyInput(options), spec).trace->bytes();
    CHECK(with >= without + 4 * 7 * 7 * 4);
    CHECK(with < without + 2 * 4 * 7 * 7 * 4);
}

TEST_CASE("a stop is noticed in the backward pass") {
    const auto model = makeToyModel();
    const auto input = makeToyInput();
    RunSpec spec;
    spec.objective = Objective{};
    spec.gradients.input = true;
    int reports = 0;
    runModel(*model, *input, spec, JobContext({}, [&](double, std::string_view) { ++reports; }));
    std::stop_source source;
    int seen = 0;
    const JobContext stopped(source.get_token(), [&](double, std::string_view) {
        if (++seen == reports) source.request_stop();  // nothing but the backward pass comes after this
    });
    CHECK_THROWS_AS(runModel(*model, *input, spec, stopped), Cancelled);
    CHECK(seen == reports);
}
