#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "common/attention_chain.h"
#include "common/attention_maps.h"
#include "common/edited_attention.h"
#include "common/picture_maps.h"
#include "fovea/catalog.h"
#include "fovea/error.h"

namespace fovea {
namespace {

SiteChoice layersFrom(const ModelSpec& spec, const nlohmann::json& params) {
    nlohmann::json every = params;
    every["layers"] = "all";
    SiteChoice choice = chosenSites(spec, every);
    const int start = params.at("start_layer").get<int>();
    std::erase_if(choice.sites,
                  [&](int site) { return spec.sites[static_cast<std::size_t>(site)].block < start; });
    if (choice.sites.empty())
        throw Error(fmt::format("start_layer {}: stage {} has {} layers, counted from 0", start, choice.stage,
                                spec.stage(choice.stage).layers),
                    {}, ErrorCode::Usage);
    return choice;
}

std::vector<Finding> computeRollout(AnalysisContext& context, const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const SiteChoice choice = layersFrom(trace.spec(), params);
    const StageTokens& stage = trace.tokens().stage(choice.stage);
    const QueryChoice queries =
        chosenQueries(params.at("queries").get<std::string>(), trace.tokens(), choice.stage);
    ChainFusion fusion{chosenFusion(params), {}, params.at("discard").get<double>(), chosenWeights(params)};
    std::vector<double> weights = chainStart(trace, choice.sites.back(), queries, stage.size());
    for (std::size_t i = choice.sites.size(); i-- > 0;) {
        const std::size_t done = choice.sites.size() - 1 - i;
        context.job().progress(static_cast<double>(done) / static_cast<double>(choice.sites.size()),
                               "rollout");
        const int site = choice.sites[i];
        fusion.chosen = chosenHeads(trace.spec().sites[static_cast<std::size_t>(site)],
                                    params.at("heads").get<std::string>());
        weights = throughSite(trace, site, weights, [&](const std::vector<double>& here) {
            return rolloutThrough(trace, site, fusion, here);
        });
    }
    std::vector<float> values(weights.begin(), weights.end());
    std::string title =
        fmt::format("Attention rollout {}, {}", queries.phrase(), describeSites(trace.spec(), choice));
    if (fusion.discard > 0) title += fmt::format(", lowest {:g} % discarded", 100 * fusion.discard);
    double inside = 0;
    bool outsiders = false;
    for (const Token& token : stage.tokens) {
        if (token.row >= 0) inside += weights[static_cast<std::size_t>(token.index)];
        outsiders = outsiders || token.row < 0;
    }
    const std::string shares = pictureShares(stage, values);
    std::string note =
        shares.empty() ? fmt::format("{:.1f} % of the rollout stays on tokens without a place in the picture", 100 * (1 - inside))
                       : "Shares of the rollout: " + shares;
    const std::string edits = editedShare(trace, choice.sites, params);
    note = outsiders ? note + (edits.empty() ? "" : "; " + edits) : edits;
    std::vector<Finding> findings = pictureMaps(trace.tokens(), {choice.stage, {""}, {values}}, params,
                                                {"map", title, "share", note, {}});
    findings.push_back({"scores", title, "share", edits, TokenScores{choice.stage, std::move(values)}});
    return findings;
}

}  // namespace

void add_rollout(AnalysisCatalog& catalog) {
    catalog.add(
        {{"rollout",
          "Attention rollout",
          "Attention through all layers, half of it along the residual stream (Abnar and Zuidema 2020, "
          "arXiv:2005.00928).",
          {fusionParam(),
           {.name = "discard",
            .type = ParamType::Number,
            .defaultValue = 0.0,
            .help = "share of the lowest fused entries set to 0 in every layer; published maps often use 0.9",
            .minimum = 0,
            .maximum = 0.999},
           {.name = "start_layer",
            .type = ParamType::Integer,
            .defaultValue = 0,
            .help = "first layer that takes part",
            .minimum = 0,
            .maximum = 4095},
           queriesParam(
               "token whose sources are traced: cls (on models without one: the mean over all patches)"),
           headsParam(),
           stageParam(),
           pictureParam(),
           weightsParam("effective")}},
         [](const ModelSpec& spec, const nlohmann::json& params) {
             Needs needs;
             needs.capture.qkv = true;
             needs.capture.sites = addressesOf(spec, layersFrom(spec, params).sites);
             return needs;
         },
         computeRollout});
}

}  // namespace fovea
