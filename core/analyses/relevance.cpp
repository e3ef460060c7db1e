#include <fmt/format.h>

#include "common/attention_chain.h"
#include "common/attention_maps.h"
#include "common/target_choice.h"
#include "common/token_grid.h"
#include "fovea/catalog.h"
#include "fovea/error.h"

namespace fovea {
namespace {

RelevancePart partOf(const nlohmann::json& params) {
    const auto word = params.at("part").get<std::string>();
    return word == "positive" ? RelevancePart::Positive
           : word == "signed" ? RelevancePart::Signed
                              : RelevancePart::Absolute;
}

SiteChoice allLayers(const ModelSpec& spec, const nlohmann::json& params) {
    nlohmann::json every = params;
    every["layers"] = "all";
    return chosenSites(spec, every);
}

// The run again, with gradients of the objective at the attention of these sites.
std::shared_ptr<const AttentionTrace> gradientTrace(AnalysisContext& context, const SiteChoice& choice,
                                                    const Objective& objective) {
    RunSpec spec = context.baseSpec();
    spec.objective = objective;
    spec.gradients.attention = true;
    spec.capture.qkv = true;
    spec.capture.sites = addressesOf(context.model().spec(), choice.sites);
    return context.run(spec).trace;
}

std::vector<Finding> computeRelevance(AnalysisContext& context, const nlohmann::json& params) {
    context.job().progress(0, "relevance");
    const TargetChoice target = chosenTarget(context, params);
    const ModelSpec& spec = context.model().spec();
    const SiteChoice choice = allLayers(spec, params);
    const auto trace = gradientTrace(context, choice, target.objective);
    const StageTokens& stage = trace->tokens().stage(choice.stage);
    const QueryChoice queries =
        chosenQueries(params.at("queries").get<std::string>(), trace->tokens(), choice.stage);
    const std::vector<double> start = chainStart(*trace, choice.sites.back(), queries, stage.size());
    std::vector<double> weights = start;
    int without = 0;
    for (std::size_t i = choice.sites.size(); i-- > 0;) {
        const std::size_t done = choice.sites.size() - 1 - i;
        context.job().progress(static_cast<double>(done) / static_cast<double>(choice.sites.size()),
                               "relevance");
        const int site = choice.sites[i];
        if (!trace->hasGradient(site)) {
            ++without;
            continue;
        }
        const std::vector<int> heads = chosenHeads(spec.sites[static_cast<std::size_t>(site)],
                                                   params.at("heads").get<std::string>());
        weights = throughSite(*trace, site, weights, [&](const std::vector<double>& here) {
            return relevanceThrough(*trace, site, partOf(params), heads, here);
        });
    }
    if (without == static_cast<int>(choice.sites.size()))
        throw Error("the objective does not depend on the attention of these layers", "choose another output",
                    ErrorCode::Usage);
    std::vector<float> values(weights.size());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(weights[i] - start[i]);
    const std::string title = fmt::format("Gradient relevance {}, {}", queries.phrase(), target.name);
    const std::string note = without == 0 ? ""
                                          : fmt::format("the objective does not depend on {} of {} layers",
                                                        without, choice.sites.size());
    std::vector<Finding> findings;
    if (const auto grid = TokenGrid::of(trace->tokens(), choice.stage)) {
        Grid map = grid->filled({""}, {values});
        map.signedValues = partOf(params) == RelevancePart::Signed;
        findings.push_back({"map", title, "relevance", note, std::move(map)});
    }
    findings.push_back({"scores", title, "relevance", note, TokenScores{choice.stage, std::move(values)}});
    return findings;
}

}  // namespace

void add_relevance(AnalysisCatalog& catalog) {
    std::vector<ParamSpec> params = targetParams();
    for (ParamSpec& spec : std::vector<ParamSpec>{
             {.name = "part",
              .type = ParamType::Choice,
              .defaultValue = "positive",
              .help = "which part of attention times its gradient counts",
              .choices = {"positive", "signed", "absolute"}},
             queriesParam("token that the answer is read from: cls (on models without one: the mean over all "
                          "patches)"),
             headsParam(), stageParam()})
        params.push_back(std::move(spec));
    catalog.add({{"relevance", "Gradient relevance",
                  "Attention times its gradient, through all layers along the residual stream (Chefer et al. 2021, "
                  "arXiv:2103.15679).",
                  params},
                 [](const ModelSpec& spec, const nlohmann::json& given) {
                     allLayers(spec, given);
                     return needsOfTarget(spec, given);
                 },
                 computeRelevance});
}

}  // namespace fovea
