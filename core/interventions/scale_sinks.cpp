#include "fovea/sinks.h"

#include <algorithm>
#include <map>

#include "common/edit_params.h"
#include "common/sink_params.h"
#include "fovea/catalog.h"
#include "fovea/selection.h"

namespace fovea {
namespace {

// Sinks of one head of a site, without the protected tokens.
std::vector<int> sinksOfHead(const AttentionTrace& trace, int site, const Array& mass, int head,
                             const SinkRule& rule, const std::vector<int>& spared) {
    std::vector<int> tokens;
    for (std::int64_t key = 0; key < mass.size(1); ++key) {
        const int token = trace.keyTokens(site)[static_cast<std::size_t>(key)];
        if (static_cast<double>(mass.at(head, key)) > rule.of(static_cast<int>(mass.size(1))) &&
            !std::binary_search(spared.begin(), spared.end(), token))
            tokens.push_back(token);
    }
    return tokens;
}

void compileScaleSinks(const InterventionContext& context, const nlohmann::json& params, EditPlan& plan) {
    const SiteChoice choice = chosenSites(context.spec, params);
    const SinkRule rule = chosenSinkRule(params);
    const std::vector<int> spared =
        parseTokens(params.at("protect").get<std::string>(), context.tokens, choice.stage);
    GroupFactor factor;
    factor.queries = editedQueries(context, choice.stage, params);
    factor.factor = params.at("factor").get<double>();
    factor.rowSum = chosenRowSum(params);
    if (factor.factor == 1) return;
    const AttentionTrace& trace = context.unedited();
    for (const int index : choice.sites) {
        const AttentionSite& site = context.spec.sites[static_cast<std::size_t>(index)];
        const Array mass = incomingMass(trace, index);
        // Heads with the same sinks share one factor.
        std::map<std::vector<int>, std::vector<int>> headsOf;
        for (const int head : chosenHeads(site, params.at("heads").get<std::string>()))
            headsOf[sinksOfHead(trace, index, mass, head, rule, spared)].push_back(head);
        for (const auto& [keys, heads] : headsOf) {
            if (keys.empty()) continue;
            factor.keys = keys;
            factor.heads = heads;
            plan.at(index).factors.push_back(factor);
        }
    }
}

}  // namespace

void add_scale_sinks(InterventionCatalog& catalog) {
    std::vector<ParamSpec> params = {{.name = "factor",
                                      .type = ParamType::Number,
                                      .defaultValue = 0.4,
                                      .help = "on the attention that each head's sinks receive; 1 changes "
                                              "nothing, 0 knocks them out (beta of ACT)",
                                      .minimum = 0,
                                      .maximum = 100},
                                     rowSumParam("compensate")};
    for (ParamSpec& spec : sinkParams()) params.push_back(std::move(spec));
    params.push_back({.name = "protect",
                      .type = ParamType::Tokens,
                      .defaultValue = "cls",
                      .help = "tokens that are never scaled; ACT spares the first token"});
    for (ParamSpec& spec :
         std::vector<ParamSpec>{layersParam("all", "layers that are edited"),
                                headsParam("heads that are edited"), editedQueriesParam(), stageParam()})
        params.push_back(std::move(spec));
    catalog.add({{"scale_sinks", "Scale attention sinks",
                  "Finds each head's sinks in the unedited run and scales them, giving the freed mass to the "
                  "other tokens "
                  "(ACT, arXiv:2406.15765).",
                  params},
                 compileScaleSinks});
}

}  // namespace fovea
