#include "attention/run_state.h"

#include <algorithm>

namespace fovea {
namespace {

const SiteEdit* editOf(const EditPlan& plan, int site) {
    for (const SiteEdit& edit : plan.sites)
        if (edit.site == site) return &edit;
    return nullptr;
}

bool sameEdit(const EditPlan& a, const EditPlan& b, int site) {
    const SiteEdit *left = editOf(a, site), *right = editOf(b, site);
    return left && right ? *left == *right : left == right;
}

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
    return !wanted.attentionOutput || found->second->attentionOutput.defined();
}

}  // namespace

int firstDifference(const RunState& state, const EditPlan& edits, const CaptureRequest& capture,
                    const ModelSpec& spec, const std::string& stage, int blocks) {
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
