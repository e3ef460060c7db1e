#include "attention/run_state.h"

#include <ATen/ops/equal.h>

#include <algorithm>

#include "fovea/error.h"

namespace fovea {

const SiteEdit* editOf(const EditPlan& plan, int site) {
    for (const SiteEdit& edit : plan.sites)
        if (edit.site == site) return &edit;
    return nullptr;
}

bool sameEdit(const EditPlan& a, const EditPlan& b, int site) {
    const SiteEdit *left = editOf(a, site), *right = editOf(b, site);
    return left && right ? *left == *right : left == right;
}

namespace {

// The first block at which the prunes of two plans differ.
int firstPruneDifference(const EditPlan& a, const EditPlan& b, const std::string& stage, int blocks) {
    int first = blocks;
    const auto compare = [&](const EditPlan& from, const EditPlan& to) {
        for (const TokenPrune& prune : from.prunes)
            if (prune.stage == stage &&
                std::find(to.prunes.begin(), to.prunes.end(), prune) == to.prunes.end())
                first = std::min(first, prune.block);
    };
    compare(a, b);
    compare(b, a);
    return first;
}

bool recorded(const AttentionTrace::Impl& trace, const CaptureRequest& wanted, int site) {
    const auto found = trace.records.find(site);
    if (found == trace.records.end()) return false;
    return (!wanted.attentionOutput || found->second->attentionOutput.defined()) &&
           (!wanted.headOutput || found->second->headOutput.defined());
}

bool recorded(const RunState& state, const CaptureRequest& wanted, int site, const std::string& address) {
    return !wanted.wants(address) || recorded(*state.trace, wanted, site);
}

}  // namespace

std::uint64_t tokensOf(const ModelInput& input, int item, const std::string& stage) {
    for (const StageTokens& tokens : input.maps[static_cast<std::size_t>(item)].stages)
        if (tokens.stage == stage) return static_cast<std::uint64_t>(tokens.size());
    return 0;
}

std::uint64_t elementBytes(const ModelSpec& spec) {
    if (spec.computeDtype == "float64") return 8;
    return spec.computeDtype == "float16" || spec.computeDtype == "bfloat16" ? 2 : 4;
}

void RunState::dropCheckpoints() {
    for (const auto& [stage, list] : checkpoints)
        for (const Checkpoint& checkpoint : list) bytes -= static_cast<std::uint64_t>(checkpoint.residual.x.nbytes());
    checkpoints.clear();
}

std::uint64_t checkpointBytes(const ModelSpec& spec, const ModelInput& input, int item, int everyBlocks) {
    std::uint64_t bytes = 0;
    for (const StageSpec& stage : spec.stages)
        bytes += static_cast<std::uint64_t>(std::max(0, stage.layers - 1) / everyBlocks) *
                 tokensOf(input, item, stage.id) * static_cast<std::uint64_t>(stage.hidden) * elementBytes(spec);
    return bytes;
}

CheckpointPolicy thinned(CheckpointPolicy policy, const ModelSpec& spec, const ModelInput& input, int item) {
    if (policy.everyBlocks <= 0 || policy.maxBytes == 0) return policy;
    int most = 0;
    for (const StageSpec& stage : spec.stages) most = std::max(most, stage.layers);
    while (policy.everyBlocks < most && checkpointBytes(spec, input, item, policy.everyBlocks) > policy.maxBytes)
        ++policy.everyBlocks;
    return policy;
}

void requireSameRun(const RunState& state, const ModelSpec& spec,
                    const std::map<std::string, at::Tensor>& inputs, const RunSpec& run) {
    const auto fail = [](const std::string& what) {
        throw Error("a run cannot resume from checkpoints of another " + what, "run it from the beginning",
                    ErrorCode::Usage);
    };
    const ModelSpec& earlier = state.trace->spec;
    if (earlier.source != spec.source || earlier.sites != spec.sites ||
        earlier.computeDtype != spec.computeDtype || earlier.device != spec.device)
        fail("model");
    if (state.route != run.route) fail("attention route");
    if (state.adapterStrengths != run.adapterStrengths) fail("adapter strength");
    const bool same = std::equal(
        inputs.begin(), inputs.end(), state.inputs.begin(), state.inputs.end(),
        [](const auto& now, const auto& then) {
            const at::Tensor &a = now.second, &b = then.second;
            return now.first == then.first && a.scalar_type() == b.scalar_type() && (a.is_same(b) || at::equal(a, b));
        });
    if (!same) fail("input");
}

bool sameEdits(const RunState& state, const EditPlan& edits, const ModelSpec& spec, const std::string& stage) {
    const int blocks = spec.stage(stage).layers;
    if (firstPruneDifference(state.edits, edits, stage, blocks) < blocks) return false;
    for (std::size_t i = 0; i < spec.sites.size(); ++i)
        if (spec.sites[i].stage == stage && !sameEdit(state.edits, edits, static_cast<int>(i))) return false;
    return true;
}

bool recordedStage(const RunState& state, const CaptureRequest& capture, const ModelSpec& spec,
                   const std::string& stage) {
    if (!capture.taps.empty()) return false;  // what they saw is not told by stage
    std::vector<const AttentionTrace::Impl*> traces = {state.trace.get()};
    for (const auto& part : state.trace->parts) traces.push_back(part->impl().get());
    const auto some = [&](auto&& has) { return std::any_of(traces.begin(), traces.end(), has); };
    for (std::size_t i = 0; i < spec.sites.size(); ++i) {
        const AttentionSite& site = spec.sites[i];
        if (site.stage == stage && capture.wants(site.address()) &&
            !some([&](const auto* trace) { return recorded(*trace, capture, static_cast<int>(i)); }))
            return false;
    }
    const int blocks = spec.stage(stage).layers;
    for (int block = 0; capture.hidden && block <= blocks; ++block)
        if (!some([&](const auto* trace) { return trace->hidden.count({stage, block}) > 0; })) return false;
    return true;
}

int firstDifference(const RunState& state, const EditPlan& edits, const CaptureRequest& capture,
                    const ModelSpec& spec, const std::string& stage, int blocks) {
    if (!capture.taps.empty()) return 0;  // what taps saw is not kept with the checkpoints
    int first = firstPruneDifference(state.edits, edits, stage, blocks);
    for (std::size_t i = 0; i < spec.sites.size(); ++i) {
        const AttentionSite& site = spec.sites[i];
        const int index = static_cast<int>(i);
        if (site.stage == stage && site.block < first &&
            (!sameEdit(state.edits, edits, index) || !recorded(state, capture, index, site.address())))
            first = site.block;
    }
    if (capture.hidden)
        for (int block = 0; block < first; ++block)
            if (!state.trace->hidden.count({stage, block})) first = block;
    return first;
}

const Checkpoint* latestCheckpoint(const RunState& state, const EditPlan& edits, const CaptureRequest& capture,
                                   const ModelSpec& spec, const std::string& stage) {
    const auto stored = state.checkpoints.find(stage);
    if (stored == state.checkpoints.end()) return nullptr;
    const int limit = firstDifference(state, edits, capture, spec, stage, spec.stage(stage).layers);
    const Checkpoint* best = nullptr;
    for (const Checkpoint& checkpoint : stored->second)
        if (checkpoint.residual.block <= limit) best = &checkpoint;
    return best;
}

}  // namespace fovea
