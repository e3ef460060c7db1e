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

bool recorded(const RunState& state, const CaptureRequest& wanted, int site, const std::string& address) {
    if (!wanted.wants(address)) return true;
    const auto found = state.trace->records.find(site);
    if (found == state.trace->records.end()) return false;
    return (!wanted.attentionOutput || found->second->attentionOutput.defined()) &&
           (!wanted.headOutput || found->second->headOutput.defined());
}

}  // namespace

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
            return now.first == then.first && a.scalar_type() == b.scalar_type() && at::equal(a, b);
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

}  // namespace fovea
