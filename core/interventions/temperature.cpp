#include "common/edit_params.h"
#include "fovea/catalog.h"

namespace fovea {
namespace {

void compileTemperature(const InterventionContext& context, const nlohmann::json& params, EditPlan& plan) {
    const SiteChoice choice = chosenSites(context.spec, params);
    for (const int index : choice.sites) {
        const AttentionSite& site = context.spec.sites[static_cast<std::size_t>(index)];
        const std::vector<int> heads = chosenHeads(site, params.at("heads").get<std::string>());
        multiplyHeads(plan.at(index).temperature, site, heads, params.at("temperature").get<double>());
    }
}

}  // namespace

void add_temperature(InterventionCatalog& catalog) {
    catalog.add({{"temperature",
                  "Temperature",
                  "Divides the logits before the softmax: above 1 attention spreads, below 1 it sharpens.",
                  {{.name = "temperature",
                    .type = ParamType::Number,
                    .defaultValue = 2.0,
                    .help = "1 changes nothing",
                    .minimum = 0.01,
                    .maximum = 100},
                   layersParam("all", "layers that are edited"),
                   headsParam("heads that are edited"),
                   stageParam()}},
                 compileTemperature});
}

}  // namespace fovea
