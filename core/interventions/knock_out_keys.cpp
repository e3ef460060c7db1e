#include "common/edit_params.h"
#include "fovea/catalog.h"

namespace fovea {
namespace {

void compileKnockOutKeys(const InterventionContext& context, const nlohmann::json& params, EditPlan& plan) {
    const SiteChoice choice = chosenSites(context.spec, params);
    GroupFactor factor;
    factor.queries = editedQueries(context, choice.stage, params);
    factor.keys = editedTokens(context, choice.stage, params.at("tokens").get<std::string>(), "tokens");
    factor.factor = 0;
    factor.rowSum = params.at("renormalise").get<bool>() ? RowSum::Renormalise : RowSum::Free;
    for (const int site : choice.sites) {
        factor.heads = editedHeads(context.spec.sites[static_cast<std::size_t>(site)], params);
        plan.at(site).factors.push_back(factor);
    }
}

}  // namespace

void add_knock_out_keys(InterventionCatalog& catalog) {
    catalog.add({{"knock_out_keys",
                  "Knock out keys",
                  "Nobody may look at the chosen tokens any more.",
                  {{.name = "tokens",
                    .type = ParamType::Tokens,
                    .defaultValue = "0",
                    .help = "keys that are knocked out: 0, cls, registers, grid:ROW,COLUMN, xy:X,Y"},
                   {.name = "renormalise",
                    .type = ParamType::Bool,
                    .defaultValue = true,
                    .help = "divide every row by what is left; otherwise rows sum to less than 1"},
                   layersParam("all", "layers that are edited"),
                   headsParam("heads that are edited"),
                   editedQueriesParam(),
                   stageParam()}},
                 compileKnockOutKeys});
}

}  // namespace fovea
