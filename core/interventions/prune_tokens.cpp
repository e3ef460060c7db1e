#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/attention_maps.h"
#include "common/edit_params.h"
#include "fovea/catalog.h"
#include "fovea/error.h"
#include "fovea/selection.h"

namespace fovea {
namespace {

int firstLayer(const ModelSpec& spec, const std::string& stage, const nlohmann::json& params) {
    const auto text = params.at("from_layer").get<std::string>();
    const std::vector<int> blocks =
        parseIndices(text, spec.stage(stage).layers, "from_layer of stage " + stage);
    if (blocks.size() != 1)
        throw Error(fmt::format("from_layer \"{}\": expected one layer", text), "write an index or last",
                    ErrorCode::Usage);
    return blocks.front();
}

int siteOfBlock(const ModelSpec& spec, const std::string& stage, int block) {
    nlohmann::json one = {{"stage", stage}, {"layers", std::to_string(block)}};
    return chosenSites(spec, one).sites.front();
}

// Image tokens by what the queries spend on them in the layer before, least first.
std::vector<int> leastAttended(const InterventionContext& context, const std::string& stage, int block,
                               const nlohmann::json& params) {
    const AttentionTrace& trace = context.unedited();
    const int site = siteOfBlock(context.spec, stage, std::max(0, block - 1));
    const QueryChoice queries = chosenQueries(params.at("queries").get<std::string>(), context.tokens, stage);
    MapRequest request{
        positionsIn(trace.queryTokens(site), queries.tokens), {}, HeadFusion::Mean, Weights::Base};
    request.heads = chosenHeads(context.spec.sites[static_cast<std::size_t>(site)], "all");
    const StageTokens& tokens = context.tokens.stage(stage);
    const std::vector<float> mass = lookedAtFrom(trace, site, request, tokens.size()).fused;
    std::vector<int> order = tokens.imageTokens();
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
        return mass[static_cast<std::size_t>(a)] < mass[static_cast<std::size_t>(b)];
    });
    return order;
}

std::vector<int> tokensToDrop(const InterventionContext& context, const std::string& stage, int block,
                              const nlohmann::json& params) {
    if (params.at("by") == "chosen")
        return parseTokens(params.at("tokens").get<std::string>(), context.tokens, stage);
    std::vector<int> order = context.tokens.stage(stage).imageTokens();
    const int count = params.at("count").get<int>();
    const double share = params.at("share").get<double>();
    const auto wanted = count > 0
                            ? static_cast<std::size_t>(count)
                            : static_cast<std::size_t>(std::floor(share * static_cast<double>(order.size())));
    if (wanted > order.size())
        throw Error(fmt::format("count {}: stage {} has {} image tokens", count, stage, order.size()), {},
                    ErrorCode::Usage);
    if (wanted == 0) return {};
    order = leastAttended(context, stage, block, params);
    order.resize(wanted);
    std::sort(order.begin(), order.end());
    return order;
}

void compilePruneTokens(const InterventionContext& context, const nlohmann::json& params, EditPlan& plan) {
    const std::string stage = chosenStage(context.spec, params);
    TokenPrune prune{stage, firstLayer(context.spec, stage, params), {}};
    prune.dropped = tokensToDrop(context, stage, prune.block, params);
    if (static_cast<int>(prune.dropped.size()) >= context.tokens.stage(stage).size())
        throw Error("pruning would drop every token", "keep at least one token", ErrorCode::Usage);
    plan.prunes.push_back(std::move(prune));
}

}  // namespace

void add_prune_tokens(InterventionCatalog& catalog) {
    ParamSpec queries =
        queriesParam("whose attention decides: cls (on models without one: the mean over all patches)");
    catalog.add(
        {{"prune_tokens",
          "Prune tokens",
          "Drops tokens from a layer on; those that remain keep their place (least attended by the class "
          "token: "
          "EViT, arXiv:2202.07800).",
          {{.name = "by",
            .type = ParamType::Choice,
            .defaultValue = "least_attended",
            .help =
                "the patches least attended in the layer before from_layer in the unedited run (in layer 0 "
                "for 0), or chosen tokens",
            .choices = {"least_attended", "chosen"}},
           {.name = "from_layer",
            .type = ParamType::Layers,
            .defaultValue = "1",
            .help = "first layer that no longer has the tokens"},
           {.name = "share",
            .type = ParamType::Number,
            .defaultValue = 0.3,
            .help = "share of the patches that is dropped",
            .minimum = 0,
            .maximum = 1},
           {.name = "count",
            .type = ParamType::Integer,
            .defaultValue = 0,
            .help = "number of patches instead of a share; by share (0): as share says",
            .minimum = 0,
            .maximum = 1000000,
            .choices = {"by share"}},
           {.name = "tokens",
            .type = ParamType::Tokens,
            .defaultValue = "",
            .help = "tokens to drop when by is chosen; prefix tokens only when named here"},
           queries,
           stageParam()}},
         compilePruneTokens});
}

}  // namespace fovea
