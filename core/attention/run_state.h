#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "attention/forward.h"
#include "attention/trace_impl.h"
#include "fovea/run.h"

namespace fovea {

/// A residual stream that a run can resume from, and the tokens in it (undefined: all).
struct Checkpoint {
    Residual residual;
    at::Tensor keptTokens;
};

/// What a finished run leaves behind for runs that differ only from some block on.
class RunState {
public:
    EditPlan edits;
    CaptureRequest capture;
    RouteChoice route = RouteChoice::Auto;
    std::map<std::string, at::Tensor> inputs;  ///< what went in, perturbed
    std::map<std::string, std::vector<Checkpoint>> checkpoints;  // per stage, by ascending block
    std::shared_ptr<const AttentionTrace::Impl> trace;           ///< what it recorded
    std::uint64_t bytes = 0;
    std::vector<double> adapterStrengths;
};

/// The edit of a site, or null; whether two plans have the same one there.
const SiteEdit* editOf(const EditPlan& plan, int site);
bool sameEdit(const EditPlan& a, const EditPlan& b, int site);

/// Throws Error (Usage) unless a run of this model with these inputs and this route can resume from `state`.
void requireSameRun(const RunState& state, const ModelSpec& spec,
                    const std::map<std::string, at::Tensor>& inputs, const RunSpec& run);

/// Whether the edits of a stage are those of the finished run.
bool sameEdits(const RunState& state, const EditPlan& edits, const ModelSpec& spec, const std::string& stage);

/// The first block of a stage at which a run with `edits` can differ from the finished run `state`, or that
/// must be run again because something wanted there was not recorded.
int firstDifference(const RunState& state, const EditPlan& edits, const CaptureRequest& capture,
                    const ModelSpec& spec, const std::string& stage, int blocks);

}  // namespace fovea
