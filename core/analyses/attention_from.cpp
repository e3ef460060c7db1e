#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/attention_maps.h"
#include "common/edited_attention.h"
#include "common/picture_maps.h"
#include "common/picture_sites.h"
#include "fovea/catalog.h"

namespace fovea {
namespace {

// Attention whose queries are no tokens of a stage.
bool pools(const AttentionSite& site) { return site.kind == SiteKind::Cross && site.keyStage.empty(); }

// Rows of the chosen queries; a pooling head has all its rows.
std::vector<int> rowsOf(const AttentionTrace& trace, int site, const std::vector<int>& tokens) {
    const AttentionSite& where = trace.spec().sites[static_cast<std::size_t>(site)];
    if (pools(where)) {
        std::vector<int> all(static_cast<std::size_t>(trace.queries(site)));
        std::iota(all.begin(), all.end(), 0);
        return all;
    }
    return rowsOfQueries(trace, site, tokens);
}

std::string prefixNote(const StageTokens& stage, const std::vector<TokenValues>& values) {
    double mass = 0;
    std::vector<float> means(stage.tokens.size(), 0.0F);
    for (const TokenValues& site : values)
        for (const Token& token : stage.tokens) {
            const auto at = static_cast<std::size_t>(token.index);
            const float value = site.fused[at];
            if (std::isnan(value)) continue;
            means[at] += value / static_cast<float>(values.size());
            if (token.row < 0) mass += value;
        }
    mass /= static_cast<double>(values.size());
    const auto placed = std::count_if(stage.tokens.begin(), stage.tokens.end(),
                                      [](const Token& token) { return token.row >= 0; });
    if (placed == 0 || placed == stage.size()) return "";
    const std::string shares = pictureShares(stage, means);
    if (!shares.empty()) return "Shares of the attention: " + shares;
    return fmt::format("{:.1f} % of the attention is on tokens without a place in the picture", 100 * mass);
}

std::vector<Finding> computeAttentionFrom(AnalysisContext& context, const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const ModelSpec& spec = trace.spec();
    const SiteChoice choice = chosenSites(spec, params);
    const SiteChoice shown{stageLookedAt(spec, choice), choice.sites};
    const StageTokens& stage = trace.tokens().stage(shown.stage);
    const QueryChoice queries =
        chosenQueries(params.at("queries").get<std::string>(), trace.tokens(), choice.stage);
    std::vector<TokenValues> values;
    std::size_t heads = 0;
    bool pooling = true;
    for (std::size_t i = 0; i < choice.sites.size(); ++i) {
        const AttentionSite& site = spec.sites[static_cast<std::size_t>(choice.sites[i])];
        context.job().progress(static_cast<double>(i) / static_cast<double>(choice.sites.size()),
                               site.address());
        const MapRequest request{rowsOf(trace, choice.sites[i], queries.tokens),
                                 chosenHeads(site, params.at("heads").get<std::string>()),
                                 chosenFusion(params), chosenWeights(params)};
        heads = request.heads.size();
        pooling = pooling && pools(site);
        values.push_back(lookedAtFrom(trace, choice.sites[i], request, stage.size()));
    }
    const std::string from = pooling ? "from the pooling query" : queries.phrase();
    return mapFindings(trace, shown, values, params,
                       {fmt::format("Attention {}, {}", from, describeSites(spec, choice)),
                        describeHeads(chosenFusion(params), heads),
                        withEditedShare(prefixNote(stage, values), trace, choice.sites, params, queries.tokens)});
}

}  // namespace

void add_attention_from(AnalysisCatalog& catalog) {
    catalog.add({{"attention_from",
                  "Attention from tokens",
                  "Where the chosen queries look: their rows of the attention matrix, averaged.",
                  {queriesParam("tokens that look: auto, cls (on models without one: all patches), patches, 5, answer, "
                                "grid:ROW,COLUMN, xy:X,Y, several are averaged"),
                   layersParam("last"), headsParam(), fusionParam(), planesParam(), stageParam(), siteParam(),
                   pictureParam(),
                   weightsParam("effective")}},
                 needsOfSites,
                 computeAttentionFrom});
}

}  // namespace fovea
