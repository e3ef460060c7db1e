#include "fovea/run.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "attention/forward.h"
#include "attention/recorded_input.h"
#include "attention/run_state.h"
#include "fovea/error.h"

namespace fovea {

namespace {

const TensorInput& tensorsOf(const ModelInput& input) {
    const auto* tensors = dynamic_cast<const TensorInput*>(&input);
    if (!tensors)
        throw Error("this input holds no tensors: it cannot be run",
                    "a trace file serves only analyses that need no new forward pass", ErrorCode::Usage);
    return *tensors;
}

std::string whatWouldFit(const MemoryEstimate& estimate, std::uint64_t budget) {
    if (estimate.activations > budget)
        return fmt::format("raise --budget to {}", formatBytes(estimate.run()));
    if (estimate.gradients > 0 && estimate.activations + estimate.capture <= budget)
        return "an analysis without gradients would fit, or raise --budget to " + formatBytes(estimate.run());
    return fmt::format("record fewer sites (--sites) or quantities (--keep), or raise --budget to {}",
                       formatBytes(estimate.run()));
}

// What was recorded, in the place of a run; everything that would need a forward pass is refused.
RunResult replayed(const RecordedInput& input, RunSpec spec) {
    spec.edits.dropIdentities();
    const char* wanted = !spec.edits.empty()                          ? "an edit"
                         : spec.gradients.any() || spec.objective     ? "a gradient"
                         : !(spec.perturbation == Perturbation{})     ? "a changed input"
                                                                      : nullptr;
    if (wanted)
        throw Error(fmt::format("{} needs a forward pass, and a trace file holds none", wanted),
                    "open the model that the trace was recorded from", ErrorCode::Usage);
    RunResult result;
    result.trace = input.recorded(spec.item);
    result.notices = input.notices;
    return result;
}

}  // namespace

RunResult runModel(const Model& model, const ModelInput& input, const RunSpec& spec, const JobContext& job) {
    if (spec.item < 0 || spec.item >= input.count())
        throw Error(fmt::format("item {} of an input with {} items", spec.item, input.count()), {},
                    ErrorCode::Usage);
    if (const auto* recorded = dynamic_cast<const RecordedInput*>(&input)) return replayed(*recorded, spec);
    const MemoryEstimate estimate = model.estimate(input, spec.capture, spec.gradients.any());
    if (spec.budget > 0 && estimate.run() > spec.budget)
        throw Error(
            fmt::format(
                "this run would take {} (activations {}, recording {}, gradients {}), the budget is {}",
                formatBytes(estimate.run()), formatBytes(estimate.activations), formatBytes(estimate.capture),
                formatBytes(estimate.gradients), formatBytes(spec.budget)),
            whatWouldFit(estimate, spec.budget), ErrorCode::Memory);
    RunSpec run = spec;
    run.edits.dropIdentities();
    const at::AutoGradMode gradients(spec.gradients.any());
    Forward forward(model.spec(), tensorsOf(input), run, makeDenseOperator(), job);
    model.run(input, spec.item, forward);
    RunResult result = forward.finish();
    result.estimate = estimate;
    return result;
}

}  // namespace fovea
