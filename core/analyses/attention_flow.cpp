// Regularised attention flow with head weights (VL-SAM, arXiv:2410.05963; sinks reference §4 B-D).
#include <fmt/format.h>

#include "common/attention_chain.h"
#include "common/attention_flow.h"
#include "common/attention_maps.h"
#include "common/edited_attention.h"
#include "common/picture_maps.h"
#include "fovea/catalog.h"
#include "fovea/error.h"
#include "fovea/trace_requests.h"

namespace fovea {
namespace {

// One layer's map: which site, which heads, and what each head counts.
struct FlowLayer {
    int site = 0;
    std::vector<int> heads;
    std::vector<double> weights;
};

// W = mean over queries of the largest weight of a row (§4 B); 1 where heads count alike.
std::vector<double> headWeights(const AttentionTrace& trace, int site, const std::vector<int>& heads,
                                bool weighted, Weights weights) {
    std::vector<double> out(heads.size(), 1.0);
    if (!weighted) return out;
    const Array largest = trace.statistics(site, {.topk = 1, .pooledBlock = 64, .weights = weights}).rowmax;
    for (std::size_t h = 0; h < heads.size(); ++h) {
        double sum = 0;
        for (std::int64_t query = 0; query < largest.size(1); ++query) sum += largest.at(heads[h], query);
        out[h] = sum / static_cast<double>(largest.size(1));
    }
    return out;
}

// Pruning leaves fewer tokens in the later layers; those that are left see each other.
void requireAllRows(const AttentionTrace& trace, int site) {
    if (trace.queryTokens(site) == trace.keyTokens(site)) return;
    throw Error(fmt::format("{}: the flow needs a row for every key, found {} rows of {} keys",
                            trace.spec().sites[static_cast<std::size_t>(site)].address(), trace.queries(site),
                            trace.keys(site)),
                "record the whole prompt", ErrorCode::Usage);
}

// v^T S' with S' = mean over the heads of W_h A_h, head by head as a product: no map exists.
std::vector<double> throughLayer(const AttentionTrace& trace, const FlowLayer& layer, Weights weights,
                                 const std::vector<double>& v) {
    return throughSite(trace, layer.site, v, [&](const std::vector<double>& here) {
        Array rows({static_cast<std::int64_t>(here.size()), 1});
        rows.values.assign(here.begin(), here.end());
        std::vector<double> out(here.size(), 0.0);
        for (std::size_t h = 0; h < layer.heads.size(); ++h) {
            const Array part = collect(trace, layer.site, rows, {layer.heads[h]}, weights);
            const double weight = layer.weights[h] / static_cast<double>(layer.heads.size());
            for (std::size_t key = 0; key < out.size(); ++key)
                out[key] += weight * static_cast<double>(part.values[key]);
        }
        return out;
    });
}

FlowRamp rampOf(const std::string& name) {
    return name == "none"          ? FlowRamp::None
           : name == "layers"      ? FlowRamp::Layers
           : name == "end"         ? FlowRamp::End
                                   : FlowRamp::Accumulated;
}

Table weightTable(const AttentionTrace& trace, const std::vector<FlowLayer>& layers) {
    Table table{{{"layer", ""}, {"head", ""}, {"weight", "probability"}}, {}};
    for (const FlowLayer& layer : layers)
        for (std::size_t h = 0; h < layer.heads.size(); ++h)
            table.rows.push_back(
                {static_cast<double>(trace.spec().sites[static_cast<std::size_t>(layer.site)].block),
                 static_cast<double>(layer.heads[h]), layer.weights[h]});
    return table;
}

std::vector<Finding> computeAttentionFlow(AnalysisContext& context, const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const SiteChoice choice = chosenSites(trace.spec(), params);
    const StageTokens& stage = trace.tokens().stage(choice.stage);
    const QueryChoice queries =
        chosenQueries(params.at("queries").get<std::string>(), trace.tokens(), choice.stage);
    const Weights weights = chosenWeights(params);
    std::vector<FlowLayer> layers;
    for (const int site : choice.sites) {
        requireAllRows(trace, site);
        FlowLayer layer{site,
                        chosenHeads(trace.spec().sites[static_cast<std::size_t>(site)],
                                    params.at("heads").get<std::string>()),
                        {}};
        layer.weights =
            headWeights(trace, site, layer.heads, params.at("head_weights").get<bool>(), weights);
        layers.push_back(std::move(layer));
    }
    std::vector<double> v(static_cast<std::size_t>(stage.size()), 0.0);
    for (const int token : queries.tokens)
        v[static_cast<std::size_t>(token)] = 1.0 / static_cast<double>(queries.tokens.size());
    const auto count = static_cast<int>(layers.size());
    const auto ramp = params.at("regulariser").get<std::string>();
    const std::vector<double> flow =
        attentionFlow(count, std::move(v), rampOf(ramp), [&](int layer, const std::vector<double>& rows) {
            context.job().progress(1 - (layer + 1.0) / count, "attention_flow");
            return throughLayer(trace, layers[static_cast<std::size_t>(layer)], weights, rows);
        });
    const std::vector<float> values(flow.begin(), flow.end());
    const std::string title =
        fmt::format("Attention flow {}, {}", queries.phrase(), describeSites(trace.spec(), choice));
    std::string note = ramp == "none" ? "not regularised: early tokens gather flow under a causal mask"
                                      : "columns damped by (j+1)/N, " + ramp;
    if (const std::string shares = pictureShares(stage, values); !shares.empty()) note += "; shares of the flow: " + shares;
    note = withEditedShare(std::move(note), trace, choice.sites, params);
    std::vector<Finding> findings =
        pictureMaps(trace.tokens(), {choice.stage, {""}, {values}}, params, {"map", title, "flow", note, {}});
    findings.push_back({"scores", title, "flow", note, TokenScores{choice.stage, values}});
    findings.push_back({"head_weights", "Head weights of the attention flow", "probability",
                        "mean over queries of the largest attention weight", weightTable(trace, layers)});
    return findings;
}

}  // namespace

void add_attention_flow(AnalysisCatalog& catalog) {
    catalog.add(
        {{"attention_flow",
          "Attention flow",
          "Attention through all layers with head weights and a column regulariser (VL-SAM, arXiv:2410.05963).",
          {queriesParam("tokens whose flow is traced: auto (what wrote the answer, or the last token of the prompt)"),
           {.name = "regulariser",
            .type = ParamType::Choice,
            .defaultValue = "accumulated",
            .help = "where the column ramp (j+1)/N acts: on the accumulated map of every layer, on the layers' "
                    "maps, once at the end, or nowhere",
            .choices = {"accumulated", "layers", "end", "none"}},
           {.name = "head_weights",
            .type = ParamType::Bool,
            .defaultValue = true,
            .help = "weight heads by the mean of their rows' largest weights"},
           layersParam("all"), headsParam(), stageParam(), pictureParam(), weightsParam("effective")}},
         needsOfSites,
         computeAttentionFlow});
}

}  // namespace fovea
