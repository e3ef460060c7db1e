#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fovea/attention_trace.h"
#include "fovea/finding.h"
#include "fovea/job_context.h"
#include "fovea/param.h"
#include "fovea/run.h"

namespace fovea {

struct Generation;

/// What the main run must record before an analysis can compute.
struct Needs {
    CaptureRequest capture;
    bool attentionGradients = false;
    bool classifier = false;  ///< needs logits over classes
    bool gradientRuns = false;  ///< runs the model again, with gradients: these must fit the budget, too
};

/// What an analysis may use: the trace of the main run (with the session's edits), the input, and further
/// runs.
class AnalysisContext {
public:
    virtual ~AnalysisContext() = default;
    virtual const Model& model() const = 0;
    virtual const ModelInput& input() const = 0;
    /// Which item of the input is analysed.
    virtual int item() const = 0;
    virtual const AttentionTrace& trace() const = 0;
    /// Runs the model again on the same item; the session's edits are already in `spec.edits` when it comes
    /// from baseSpec(). Results may come from a cache.
    virtual RunResult run(const RunSpec& spec) = 0;
    /// A RunSpec with the item, edits and budget of the main run and no capture.
    virtual RunSpec baseSpec() const = 0;
    virtual const JobContext& job() const = 0;
    /// The answer that the main run gave, whose trace() it is; null where the run was of the input alone.
    virtual const Generation* answer() const { return nullptr; }
    /// Seed of the session.
    virtual std::uint64_t seed() const = 0;

    /// Of the trace: with an answer, those of the answer, too.
    const TokenMap& tokens() const { return trace().tokens(); }
};

/// One file of core/analyses.
struct AnalysisEntry {
    EntryInfo info;
    /// Sites are narrowed to what `params` (already checked) select; throws Error (Usage) on a selection that
    /// does not exist.
    std::function<Needs(const ModelSpec&, const nlohmann::json& params)> needs;
    /// Computes the findings; `params` are already checked. Throws Error (Usage) on selections that do not
    /// exist.
    std::function<std::vector<Finding>(AnalysisContext&, const nlohmann::json& params)> compute;
};

}  // namespace fovea
