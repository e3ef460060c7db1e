#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "common/attention_maps.h"
#include "common/rollout_chain.h"
#include "common/token_grid.h"
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

struct Fusion {
    HeadFusion heads = HeadFusion::Mean;
    double discard = 0;
    std::string headText;
    Weights weights = Weights::Effective;
};

// Carries the weights of the tokens that leave a layer down to those that enter it. Both [tokens of the
// stage].
std::vector<double> throughLayer(const AttentionTrace& trace, int site, const Fusion& fusion,
                                 const std::vector<double>& weights) {
    const std::vector<int>& tokens = trace.queryTokens(site);
    const AttentionSite& where = trace.spec().sites[static_cast<std::size_t>(site)];
    const std::vector<int> heads = chosenHeads(where, fusion.headText);
    std::vector<double> here(tokens.size()), below(tokens.size());
    std::vector<int> rows;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        here[i] = weights[static_cast<std::size_t>(tokens[i])];
        if (here[i] != 0) rows.push_back(static_cast<int>(i));
    }
    if (fusion.discard > 0) {
        Array map = trace.fused(site, fusion.heads, heads, {}, fusion.weights);
        discardLowest(map, fusion.discard);
        rolloutStep(map, 0, here, below);
    } else {
        forRuns(rows, blockLength(where.heads, trace.keys(site)), [&](int begin, int end) {
            const Slice slice{.queryBegin = begin, .queryEnd = end};
            rolloutStep(trace.fused(site, fusion.heads, heads, slice, fusion.weights), begin, here, below);
        });
    }
    std::vector<double> out(weights.size(), 0.0);
    for (std::size_t i = 0; i < tokens.size(); ++i) out[static_cast<std::size_t>(tokens[i])] = below[i];
    return out;
}

std::vector<double> startWeights(const AttentionTrace& trace, int lastSite, const QueryChoice& queries,
                                 int tokens) {
    const std::vector<int> left = positionsIn(trace.queryTokens(lastSite), queries.tokens);
    if (left.empty())
        throw Error("queries: none of them is left in the last layer after pruning", {}, ErrorCode::Usage);
    std::vector<double> weights(static_cast<std::size_t>(tokens), 0.0);
    for (const int position : left)
        weights[static_cast<std::size_t>(trace.queryTokens(lastSite)[static_cast<std::size_t>(position)])] =
            1.0 / static_cast<double>(left.size());
    return weights;
}

std::vector<Finding> compute(AnalysisContext& context, const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const SiteChoice choice = layersFrom(trace.spec(), params);
    const StageTokens& stage = trace.tokens().stage(choice.stage);
    const QueryChoice queries =
        chosenQueries(params.at("queries").get<std::string>(), trace.tokens(), choice.stage);
    const Fusion fusion{chosenFusion(params), params.at("discard").get<double>(),
                        params.at("heads").get<std::string>(), chosenWeights(params)};
    std::vector<double> weights = startWeights(trace, choice.sites.back(), queries, stage.size());
    for (std::size_t i = choice.sites.size(); i-- > 0;) {
        const std::size_t done = choice.sites.size() - 1 - i;
        context.job().progress(static_cast<double>(done) / static_cast<double>(choice.sites.size()),
                               "rollout");
        weights = throughLayer(trace, choice.sites[i], fusion, weights);
    }
    std::vector<float> values(weights.begin(), weights.end());
    std::string title =
        fmt::format("Attention rollout from {}, {}", queries.name, describeSites(trace.spec(), choice));
    if (fusion.discard > 0) title += fmt::format(", lowest {:g} % discarded", 100 * fusion.discard);
    std::vector<Finding> findings;
    if (const auto grid = TokenGrid::of(trace.tokens(), choice.stage)) {
        double inside = 0;
        for (const Token& token : stage.tokens)
            if (grid->cellOf(token.index) >= 0) inside += weights[static_cast<std::size_t>(token.index)];
        const std::string note = fmt::format(
            "{:.1f} % of the rollout stays on tokens without a place in the picture", 100 * (1 - inside));
        findings.push_back(
            {"map", title, "share", stage.prefixTokens() > 0 ? note : "", grid->filled({""}, {values})});
    }
    findings.push_back({"scores", title, "share", "", TokenScores{choice.stage, std::move(values)}});
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
               "token whose sources are traced: cls (on models without one: the mean over all patches), ..."),
           headsParam(),
           stageParam(),
           weightsParam("effective")}},
         [](const ModelSpec& spec, const nlohmann::json& params) {
             Needs needs;
             needs.capture.qkv = true;
             needs.capture.sites = addressesOf(spec, layersFrom(spec, params).sites);
             return needs;
         },
         compute});
}

}  // namespace fovea
