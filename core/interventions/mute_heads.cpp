#include "common/edit_params.h"
#include "fovea/catalog.h"

namespace fovea {
namespace {

void compileMuteHeads(const InterventionContext& context, const nlohmann::json& params, EditPlan& plan) {
    const SiteChoice choice = chosenSites(context.spec, params);
    for (const int index : choice.sites) {
        const AttentionSite& site = context.spec.sites[static_cast<std::size_t>(index)];
        const std::vector<int> heads = chosenHeads(site, params.at("heads").get<std::string>());
        multiplyHeads(plan.at(index).headGain, site, heads, params.at("gain").get<double>());
    }
}

}  // namespace

void add_mute_heads(InterventionCatalog& catalog) {
    ParamSpec heads = headsParam("heads that are muted");
    heads.defaultValue = "0";
    catalog.add(
        {{"mute_heads",
          "Mute heads",
          "Multiplies what chosen heads write, before the output projection (Michel, Levy and Neubig 2019, "
          "arXiv:1905.10650).",
          {heads,
           layersParam("last", "layers that are edited"),
           {.name = "gain",
            .type = ParamType::Number,
            .defaultValue = 0.0,
            .help = "0 mutes, 1 changes nothing",
            .minimum = 0,
            .maximum = 100},
           stageParam()}},
         compileMuteHeads});
}

}  // namespace fovea
