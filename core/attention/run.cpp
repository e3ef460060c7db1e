#include "fovea/run.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>

#include "attention/answer_input.h"
#include "attention/forward.h"
#include "attention/probabilities.h"
#include "attention/recorded_input.h"
#include "attention/run_state.h"
#include "fovea/error.h"
#include "fovea/run_estimate.h"

namespace fovea {

namespace {

const TensorInput& tensorsOf(const ModelInput& input) {
    const auto* tensors = dynamic_cast<const TensorInput*>(&input);
    if (!tensors)
        throw Error("this input holds no tensors: it cannot be run",
                    "a trace file serves only analyses that need no new forward pass", ErrorCode::Usage);
    return *tensors;
}

std::string whatWouldFit(const MemoryEstimate& estimate, std::uint64_t spilled, std::uint64_t budget) {
    const std::string raise = raisedBudget(estimate.run(), spilled);
    if (estimate.activations > budget) return raise;
    if (estimate.gradients > 0 && estimate.activations + estimate.capture <= budget)
        return "an analysis without gradients would fit, or " + raise;
    return "record fewer sites (--sites) or quantities (--keep), or " + raise;
}

// What was recorded, in the place of a run; everything that would need a forward pass is refused.
RunResult replayed(const RecordedInput& input, RunSpec spec) {
    spec.edits.dropIdentities();
    const char* wanted = !spec.edits.empty()                          ? "an edit"
                         : spec.gradients.any() || spec.objective     ? "a gradient"
                         : !(spec.perturbation == Perturbation{})     ? "a changed input"
                         : !spec.answer.empty()                       ? "an answer"
                                                                      : nullptr;
    if (wanted)
        throw Error(fmt::format("{} needs a forward pass, and a trace file holds none", wanted),
                    "open the model that the trace was recorded from", ErrorCode::Usage);
    RunResult result;
    result.trace = input.recorded(spec.item);
    result.notices = input.notices;
    return result;
}

// Heads that are edited are computed a second time from their probabilities, in fp32; the backward pass keeps
// these maps: the softmax, what multiplies the values, and one to three per factor. The explicit route keeps
// two.
void addMaps(const ModelSpec& model, const ModelInput& input, const RunSpec& spec,
              MemoryEstimate& estimate) {
    constexpr std::uint64_t scratch = std::uint64_t{32} << 20, maps = 5;
    std::uint64_t working = 0;
    for (const SiteEdit& edit : spec.edits.sites) {
        const AttentionSite& site = model.sites[static_cast<std::size_t>(edit.site)];
        const auto heads = static_cast<std::uint64_t>(recomputedHeads(edit, site.heads).size());
        const std::uint64_t tokens = tokensOf(input, spec.item, site.stage);
        const std::uint64_t keys = site.keyStage.empty() ? tokens : tokensOf(input, spec.item, site.keyStage);
        const std::uint64_t queries = site.kind == SiteKind::Cross && site.keyStage.empty() ? 1 : tokens;
        const std::uint64_t cells = queries * keys * 4;
        if (heads == 0) continue;
        working = std::max(working, maps * std::min(cells, scratch));
        std::uint64_t kept = 2;
        for (const GroupFactor& factor : edit.factors)
            kept += factor.rowSum == RowSum::Free ? 1 : factor.rowSum == RowSum::Renormalise ? 2 : 3;
        if (spec.gradients.any()) estimate.gradients += heads * cells * kept;
    }
    if (spec.route == RouteChoice::Explicit)
        for (const AttentionSite& site : model.sites) {
            const std::uint64_t tokens = tokensOf(input, spec.item, site.stage);
            const std::uint64_t cells = static_cast<std::uint64_t>(site.heads) * tokens * tokens * 4;
            working = std::max(working, maps * std::min(cells, scratch));
            if (spec.gradients.any()) estimate.gradients += 2 * cells;
        }
    estimate.activations += working;
}

bool givesAllLogits(const ModelInput& input) {
    const auto* tensors = dynamic_cast<const TensorInput*>(&input);
    return tensors && tensors->allLogits;
}

// The head's rows that an objective about several tokens reads: the logits, their cast, and what the backward pass keeps
// of each.
void addRows(const Model& model, const ModelInput& input, const RunSpec& run, MemoryEstimate& estimate) {
    CaptureRequest all = run.capture;
    all.allLogits = true;
    const std::uint64_t tokens = tokensOf(input, run.item, "text"), rows = run.objective->tokens.size();
    const std::uint64_t one = model.estimate(input, run.capture, false).activations,
                        every = model.estimate(input, all, false).activations;
    if (tokens == 0 || every <= one) return;
    constexpr std::uint64_t copies = 3;
    estimate.activations += copies * std::min(rows, tokens) * ((every - one) / tokens + 1);
}

// What a run takes beside what its model knows of: edits, gradients at the attention, and, where they fit
// into what is left of the budget, checkpoints (`run` is changed accordingly).
MemoryEstimate estimateOf(const Model& model, const ModelInput& input, RunSpec& run) {
    CaptureRequest capture = run.capture;
    capture.qkv = capture.qkv || run.gradients.attention;
    capture.allLogits = capture.allLogits || givesAllLogits(input);
    MemoryEstimate estimate = model.estimate(input, capture, run.gradients.any());
    const ModelSpec& spec = model.spec();
    const std::uint64_t element = elementBytes(spec);
    addMaps(spec, input, run, estimate);
    if (run.objective && !run.objective->tokens.empty()) addRows(model, input, run, estimate);
    if (run.gradients.attention)
        for (const AttentionSite& site : spec.sites)
            if (capture.wants(site.address()))
                estimate.gradients += tokensOf(input, run.item, site.stage) * element *
                                      static_cast<std::uint64_t>(site.heads) *
                                      static_cast<std::uint64_t>(site.headDim);
    if (run.checkpoints.everyBlocks <= 0) return estimate;
    if (run.budget > 0) {
        const std::uint64_t left = run.budget > estimate.run() ? run.budget - estimate.run() : 0;
        const std::uint64_t most = run.checkpoints.maxBytes;
        run.checkpoints.maxBytes = most > 0 ? std::min(most, left) : left;
        if (left == 0) run.checkpoints.everyBlocks = 0;
    }
    run.checkpoints = thinned(run.checkpoints, spec, input, run.item);
    if (run.checkpoints.everyBlocks <= 0 || run.capture.hidden)
        return estimate;  // hidden states are the same tensors
    std::uint64_t kept = checkpointBytes(spec, input, run.item, run.checkpoints.everyBlocks);
    for (const StageSpec& stage : spec.stages)  // and what it gives to later ones
        kept += tokensOf(input, run.item, stage.id) * static_cast<std::uint64_t>(stage.hidden) * element;
    estimate.capture += run.checkpoints.maxBytes > 0 ? std::min(kept, run.checkpoints.maxBytes) : kept;
    return estimate;
}

// What of a recording can go to a temporary file: Q, K, V and log-sum-exp. A backward pass holds them anyway, and
// full probabilities that are asked for must fit.
std::uint64_t spillable(const Model& model, const ModelInput& input, const RunSpec& run,
                        const MemoryEstimate& estimate) {
    if (run.budget == 0 || run.gradients.any() || run.capture.probs) return 0;
    CaptureRequest rest = run.capture;
    rest.qkv = rest.lse = rest.stats = false;
    const std::uint64_t without = model.estimate(input, rest, false).capture,
                        with = model.estimate(input, run.capture, false).capture;
    return std::min(estimate.capture, with > without ? with - without : 0);
}

// `spilled` bytes of the recording can go elsewhere.
void refuseOver(std::uint64_t budget, const MemoryEstimate& estimate, std::uint64_t spilled) {
    if (budget > 0 && estimate.run() - spilled > budget)
        throw Error(
            fmt::format(
                "this run would take {} (activations {}, recording {}, gradients {}), the budget is {}",
                formatBytesUp(estimate.run()), formatBytes(estimate.activations), formatBytes(estimate.capture),
                formatBytes(estimate.gradients), formatBytes(budget)),
            whatWouldFit(estimate, spilled, budget), ErrorCode::Memory);
}

void requireTaps(const ModelSpec& spec, const CaptureRequest& capture) {
    for (const std::string& glob : capture.taps)
        if (std::none_of(spec.taps.begin(), spec.taps.end(),
                         [&](const std::string& name) { return matchesGlob(glob, name); }))
            throw Error(
                fmt::format("tap \"{}\" matches none of this model", glob),
                spec.taps.empty() ? "the model has no taps" : "its taps look like " + spec.taps.front(),
                ErrorCode::Usage);
}

}  // namespace

std::string raisedBudget(std::uint64_t whole, std::uint64_t spilled) {
    std::string text = "raise --budget to " + formatBytesUp(whole - spilled);
    if (spilled > 0)
        text += fmt::format(" (part of the recording then goes to a temporary file; {} keep all of it in memory)", formatBytesUp(whole));
    return text;
}

MemoryEstimate estimateRun(const Model& model, const ModelInput& input, const RunSpec& spec) {
    if (dynamic_cast<const RecordedInput*>(&input)) return model.estimate(input, spec.capture, spec.gradients.any());
    RunSpec run = spec;
    run.edits.dropIdentities();
    std::shared_ptr<const ModelInput> longer;
    return estimateOf(model, inputOf(model, input, run, longer), run);
}

std::uint64_t leastBudget(const Model& model, const ModelInput& input, const RunSpec& spec) {
    if (dynamic_cast<const RecordedInput*>(&input)) return 0;
    RunSpec run = spec;
    run.edits.dropIdentities();
    const MemoryEstimate estimate = estimateOf(model, input, run);
    return estimate.run() - spillable(model, input, run, estimate);
}

void requireBudget(const Model& model, const ModelInput& input, const RunSpec& spec) {
    if (dynamic_cast<const RecordedInput*>(&input)) return;
    RunSpec run = spec;
    run.edits.dropIdentities();
    std::shared_ptr<const ModelInput> longer;
    const ModelInput& whole = inputOf(model, input, run, longer);
    const MemoryEstimate estimate = estimateOf(model, whole, run);
    refuseOver(spec.budget, estimate, spillable(model, whole, run, estimate));
}

RunResult runModel(const Model& model, const ModelInput& input, const RunSpec& spec, const JobContext& job) {
    if (spec.item < 0 || spec.item >= input.count())
        throw Error(fmt::format("item {} of an input with {} items", spec.item, input.count()), {},
                    ErrorCode::Usage);
    if (const auto* recorded = dynamic_cast<const RecordedInput*>(&input)) return replayed(*recorded, spec);
    requireTaps(model.spec(), spec.capture);
    RunSpec run = spec;
    keepAnswer(input, run);
    run.edits.dropIdentities();
    std::shared_ptr<const ModelInput> longer;
    const ModelInput& whole = inputOf(model, input, run, longer);
    const MemoryEstimate estimate = estimateOf(model, whole, run);
    const std::uint64_t spilled = spillable(model, whole, run, estimate);
    refuseOver(spec.budget, estimate, spilled);
    const at::AutoGradMode gradients(spec.gradients.any());
    Forward forward(model.spec(), tensorsOf(whole), run, makeDenseOperator(), job);
    if (spec.budget > 0 && estimate.run() > spec.budget)
        forward.limitRecording(spec.budget - (estimate.run() - spilled));
    model.run(whole, spec.item, forward);
    RunResult result = forward.finish();
    result.estimate = estimate;
    return result;
}

}  // namespace fovea
