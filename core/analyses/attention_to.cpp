#include <fmt/format.h>

#include "common/attention_maps.h"
#include "common/edited_attention.h"
#include "common/picture_maps.h"
#include "fovea/catalog.h"
#include "fovea/error.h"

namespace fovea {
namespace {

std::string keysName(const StageTokens& stage, const std::vector<int>& tokens) {
    if (tokens.size() == 1) return quotedName(stage.tokens[static_cast<std::size_t>(tokens.front())]);
    return fmt::format("{} tokens together", tokens.size());
}

std::vector<Finding> computeAttentionTo(AnalysisContext& context, const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const ModelSpec& spec = trace.spec();
    const SiteChoice choice = chosenSites(spec, params);
    const StageTokens& stage = trace.tokens().stage(choice.stage);
    const std::vector<int> keys =
        chosenTokens(params.at("keys").get<std::string>(), trace.tokens(), choice.stage, "keys");
    std::vector<TokenValues> values;
    std::size_t heads = 0;
    for (std::size_t i = 0; i < choice.sites.size(); ++i) {
        const AttentionSite& site = spec.sites[static_cast<std::size_t>(choice.sites[i])];
        context.job().progress(static_cast<double>(i) / static_cast<double>(choice.sites.size()),
                               site.address());
        const MapRequest request{positionsIn(trace.keyTokens(choice.sites[i]), keys),
                                 chosenHeads(site, params.at("heads").get<std::string>()),
                                 chosenFusion(params), chosenWeights(params)};
        if (request.positions.empty())
            throw Error(fmt::format("keys: none of them is left at {} after pruning", site.address()),
                        "choose an earlier layer or another token", ErrorCode::Usage);
        heads = request.heads.size();
        values.push_back(lookersAt(trace, choice.sites[i], request, stage.size()));
    }
    return mapFindings(
        trace, choice, values, params,
        {fmt::format("Attention to {}, {}", keysName(stage, keys), describeSites(spec, choice)),
         describeHeads(chosenFusion(params), heads),
         withEditedShare("each value is the share of its own attention that a token spends there; the map does not sum to 1",
                         trace, choice.sites, params)});
}

}  // namespace

void add_attention_to(AnalysisCatalog& catalog) {
    catalog.add({{"attention_to",
                  "Attention to tokens",
                  "Who looks at the chosen tokens: their columns of the attention matrix, summed.",
                  {{.name = "keys",
                    .type = ParamType::Tokens,
                    .defaultValue = "0",
                    .help = "tokens that are looked at: 5, cls, registers, grid:ROW,COLUMN, xy:X,Y"},
                   layersParam("last"),
                   headsParam(),
                   fusionParam(),
                   planesParam(),
                   stageParam(),
                   pictureParam(),
                   weightsParam("effective")}},
                 needsOfSites,
                 computeAttentionTo});
}

}  // namespace fovea
