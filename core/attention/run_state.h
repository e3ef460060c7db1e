#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "attention/forward.h"
#include "attention/kv_cache.h"
#include "attention/pass_records.h"
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
    EditPlan edits;  ///< of a generation: as its prompt sees them
    CaptureRequest capture;
    RouteChoice route = RouteChoice::Auto;
    std::map<std::string, at::Tensor> inputs;  ///< what went in, perturbed
    std::map<std::string, std::vector<Checkpoint>> checkpoints;  // per stage, by ascending block
    std::shared_ptr<const AttentionTrace::Impl> trace;           ///< what it recorded
    std::uint64_t bytes = 0;  ///< of all that the trace does not hold
    std::vector<double> adapterStrengths;
    std::map<std::string, StageResult> results;  ///< per stage, see Forward::kept
    std::vector<int> attended;                   ///< sites that the run, or the prompt, attended at, in order
    std::vector<at::Tensor> sums;                ///< of their outputs, to tell whether they are finite
    // Of a generation:
    std::int64_t prompt = 0;  ///< tokens of the text before the answer
    PassRecords passes;
    KvCache cache{0};

    /// Forgets where runs could resume within a stage.
    void dropCheckpoints();
};

/// The edit of a site, or null; whether two plans have the same one there.
const SiteEdit* editOf(const EditPlan& plan, int site);
bool sameEdit(const EditPlan& a, const EditPlan& b, int site);

/// Tokens of a stage that an item's run begins with; 0 where its parts have maps of their own.
std::uint64_t tokensOf(const ModelInput& input, int item, const std::string& stage);

/// Bytes of a value in the type that the model computes in.
std::uint64_t elementBytes(const ModelSpec& spec);

/// Bytes of the checkpoints that an item's run keeps with one at every so many blocks.
std::uint64_t checkpointBytes(const ModelSpec& spec, const ModelInput& input, int item, int everyBlocks);

/// The policy with fewer checkpoints where not all of them fit into its bytes.
CheckpointPolicy thinned(CheckpointPolicy policy, const ModelSpec& spec, const ModelInput& input, int item);

/// Throws Error (Usage) unless a run of this model with these inputs and this route can resume from `state`.
void requireSameRun(const RunState& state, const ModelSpec& spec,
                    const std::map<std::string, at::Tensor>& inputs, const RunSpec& run);

/// Whether the edits of a stage are those of the finished run.
bool sameEdits(const RunState& state, const EditPlan& edits, const ModelSpec& spec, const std::string& stage);

/// Whether the finished run recorded everything of a stage that is wanted now.
bool recordedStage(const RunState& state, const CaptureRequest& capture, const ModelSpec& spec,
                   const std::string& stage);

/// The first block of a stage at which a run with `edits` can differ from the finished run `state`, or that
/// must be run again because something wanted there was not recorded.
int firstDifference(const RunState& state, const EditPlan& edits, const CaptureRequest& capture,
                    const ModelSpec& spec, const std::string& stage, int blocks);

/// The last checkpoint of a stage that such a run can begin at; null where it must begin with the embeddings.
const Checkpoint* latestCheckpoint(const RunState& state, const EditPlan& edits, const CaptureRequest& capture,
                                   const ModelSpec& spec, const std::string& stage);

}  // namespace fovea
