#include "common/edit_params.h"
#include "fovea/catalog.h"

namespace fovea {
namespace {

void compileScaleKeys(const InterventionContext& context, const nlohmann::json& params, EditPlan& plan) {
    const SiteChoice choice = chosenSites(context.spec, params);
    GroupFactor factor;
    factor.queries = editedQueries(context, choice.stage, params);
    factor.keys = editedTokens(context, choice.stage, params.at("tokens").get<std::string>(), "tokens");
    factor.factor = params.at("factor").get<double>();
    factor.rowSum = chosenRowSum(params);
    for (const int site : choice.sites) {
        factor.heads = editedHeads(context.spec.sites[static_cast<std::size_t>(site)], params);
        plan.at(site).factors.push_back(factor);
    }
}

}  // namespace

void add_scale_keys(InterventionCatalog& catalog) {
    catalog.add({{"scale_keys",
                  "Scale keys",
                  "Multiplies the attention that chosen tokens receive, after the softmax.",
                  {{.name = "tokens",
                    .type = ParamType::Tokens,
                    .defaultValue = "0",
                    .help = "keys that are scaled: 0, cls, registers, grid:ROW,COLUMN, xy:X,Y"},
                   {.name = "factor",
                    .type = ParamType::Number,
                    .defaultValue = 0.5,
                    .help = "1 changes nothing, 0 knocks out",
                    .minimum = 0,
                    .maximum = 1000},
                   rowSumParam("renormalise"),
                   layersParam("all", "layers that are edited"),
                   headsParam("heads that are edited"),
                   editedQueriesParam(),
                   stageParam()}},
                 compileScaleKeys});
}

}  // namespace fovea
