#include <algorithm>

#include "fovea/intervention.h"
#include "fovea/model.h"

namespace fovea {

bool SiteEdit::identity() const {
    const auto isOne = [](double value) { return value == 1.0; };
    return std::all_of(temperature.begin(), temperature.end(), isOne) &&
           std::all_of(headGain.begin(), headGain.end(), isOne) && factors.empty();
}

SiteEdit& EditPlan::at(int site) {
    const auto found =
        std::find_if(sites.begin(), sites.end(), [site](const SiteEdit& edit) { return edit.site == site; });
    if (found != sites.end()) return *found;
    sites.push_back({});
    sites.back().site = site;
    return sites.back();
}

void EditPlan::dropIdentities() {
    for (SiteEdit& edit : sites)
        std::erase_if(edit.factors, [](const GroupFactor& f) { return f.factor == 1.0 || f.keys.empty(); });
    std::erase_if(sites, [](const SiteEdit& edit) { return edit.identity(); });
    std::erase_if(prunes, [](const TokenPrune& prune) { return prune.dropped.empty(); });
}

int earliestBlock(const EditPlan& plan, const ModelSpec& spec, const std::string& stage, int blocks) {
    int first = blocks;
    for (const SiteEdit& edit : plan.sites) {
        const AttentionSite& site = spec.sites[static_cast<std::size_t>(edit.site)];
        if (site.stage == stage) first = std::min(first, site.block);
    }
    for (const TokenPrune& prune : plan.prunes)
        if (prune.stage == stage) first = std::min(first, prune.block);
    return first;
}

}  // namespace fovea
