#include "fovea/run.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "attention/forward.h"
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
    if (estimate.activations > budget) return fmt::format("raise --budget to {}", formatBytes(estimate.run()));
    if (estimate.gradients > 0 && estimate.activations + estimate.capture <= budget)
        return "an analysis without gradients would fit, or raise --budget to " + formatBytes(estimate.run());
    return fmt::format("record fewer sites (--sites) or quantities (--keep), or raise --budget to {}",
                       formatBytes(estimate.run()));
}

}  // namespace

RunResult runModel(const Model& model, const ModelInput& input, const RunSpec& spec, const JobContext& job) {
    if (spec.item < 0 || spec.item >= input.count())
        throw Error(fmt::format("item {} of an input with {} items", spec.item, input.count()), {}, ErrorCode::Usage);
    const MemoryEstimate estimate = model.estimate(input, spec.capture, spec.gradients.any());
    if (spec.budget > 0 && estimate.run() > spec.budget)
        throw Error(fmt::format("this run would take {} (activations {}, recording {}, gradients {}), the budget is {}",
                                formatBytes(estimate.run()), formatBytes(estimate.activations),
                                formatBytes(estimate.capture), formatBytes(estimate.gradients),
                                formatBytes(spec.budget)),
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
