#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fovea/array.h"
#include "fovea/attention_trace.h"
#include "fovea/capture.h"
#include "fovea/intervention.h"
#include "fovea/job_context.h"
#include "fovea/model.h"
#include "fovea/objective.h"

namespace fovea {

/// A change of the model's input tensor x: x' = baseline + scale * (x - baseline) + noise.
struct Perturbation {
    double scale = 1;
    double baseline = 0;   ///< value of every element of the baseline, in normalised units
    /// The same per colour channel; overrides `baseline` when not empty.
    std::vector<double> channelBaseline;
    double noise = 0;      ///< standard deviation of added Gaussian noise, in normalised units
    std::uint64_t seed = 0;
    bool operator==(const Perturbation&) const = default;
};

/// Which gradients of the objective are wanted.
struct GradientRequest {
    bool input = false;      ///< with respect to the model's input tensor
    bool attention = false;  ///< with respect to the probabilities of the sites that the capture lists
    bool any() const { return input || attention; }
    bool operator==(const GradientRequest&) const = default;
};

/// How attention is computed: the best eligible route, or plain matrix products (for verification).
enum class RouteChoice { Auto, Explicit };

/// Where runs can resume: the residual stream of a stage at a block boundary. Held by RunState.
struct CheckpointPolicy {
    int everyBlocks = 0;         ///< 0 keeps none
    std::uint64_t maxBytes = 0;  ///< 0 means no limit of its own; never more than the run's budget leaves
    bool operator==(const CheckpointPolicy&) const = default;
};

class RunState;  // checkpoints of a finished run; opaque, tensors inside

/// One run of a model.
struct RunSpec {
    int item = 0;  ///< which item of the ModelInput
    /// Ids that stand behind the prompt as one sequence, as if they had been generated; only of models that generate.
    std::vector<int> answer;
    EditPlan edits;
    CaptureRequest capture;
    std::optional<Objective> objective;
    GradientRequest gradients;
    Perturbation perturbation;
    RouteChoice route = RouteChoice::Auto;
    CheckpointPolicy checkpoints;
    /// Bytes for activations, capture, gradients and checkpoints; 0 means no limit.
    std::uint64_t budget = 0;
    /// Of a run of the same model on the same (perturbed) input by the same route, with its own edits.
    std::shared_ptr<const RunState> resume;
    /// One for each adapter that the model was opened with (LoadOptions::adapters); empty: as it was opened. 0 gives
    /// the base model bit for bit.
    std::vector<double> adapterStrengths;
};

/// Which route served how many attention calls, and why the earlier ones in the table declined.
struct RouteReport {
    std::string route;
    int calls = 0;
    std::vector<std::string> declined;  ///< "cudnn: needs a CUDA tensor", ...
};

/// What a run gives back.
struct RunResult {
    std::shared_ptr<const AttentionTrace> trace;
    std::shared_ptr<const RunState> state;  ///< null unless checkpoints were asked for and fit
    double objective = 0;
    int objectiveClass = -1;  ///< the class that the objective resolved to
    Array inputGradient;      ///< shape of the model's input tensor without the batch axis
    Array inputTensor;        ///< the (perturbed) input tensor, when gradients were asked for
    MemoryEstimate estimate;
    std::vector<RouteReport> routes;
    std::vector<std::string> notices;
    int blocksRun = 0;
    int blocksResumed = 0;
};

/// Runs one item. Estimates first and throws Error (Memory) with the estimate and the settings that would fit
/// when it exceeds the budget; throws Cancelled when the job is stopped. Observation never changes the
/// outputs, bit for bit.
RunResult runModel(const Model& model, const ModelInput& input, const RunSpec& spec,
                   const JobContext& job = {});

/// Bytes of memory that this process may use without swapping (the default budget derives from it).
std::uint64_t availableMemory();

}  // namespace fovea
