#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/attention_maps.h"
#include "common/edited_attention.h"
#include "common/linear_algebra.h"
#include "common/picture_sites.h"
#include "common/token_tree.h"
#include "fovea/catalog.h"
#include "fovea/error.h"

namespace fovea {
namespace {

constexpr int maxNodes = 4096;  // a dense score matrix of 128 MiB

// Every token sends a message to the token it looks at: row i of the fused map, over image tokens, is child
// i's choice of parents (arXiv:2304.03282 with one head selector, P = 1/H, and no message controller).
EdgeScores layerScores(const AttentionTrace& trace, int site, const std::vector<int>& tokens,
                       const nlohmann::json& params) {
    const AttentionSite& where = trace.spec().sites[static_cast<std::size_t>(site)];
    const std::vector<int> heads = chosenHeads(where, params.at("heads").get<std::string>());
    const std::vector<int> rows = positionsIn(trace.queryTokens(site), tokens);
    const std::vector<int> columns = positionsIn(trace.keyTokens(site), tokens);
    EdgeScores scores{static_cast<int>(tokens.size()), {}};
    scores.values.resize(tokens.size() * tokens.size());
    int child = 0;
    forRuns(rows, blockLength(where.heads, trace.keys(site)), [&](int begin, int end) {
        const Array block = trace.fused(site, HeadFusion::Mean, heads, {.queryBegin = begin, .queryEnd = end},
                                        chosenWeights(params));
        for (int row = 0; row < end - begin; ++row, ++child)
            for (std::size_t parent = 0; parent < columns.size(); ++parent)
                scores.at(child, static_cast<int>(parent)) =
                    static_cast<double>(block.at(row, columns[parent]));
    });
    return scores;
}

void normaliseRows(EdgeScores& scores) {
    for (int child = 0; child < scores.nodes; ++child) {
        double* row = &scores.at(child, 0);
        const double sum = std::accumulate(row, row + scores.nodes, 0.0);
        for (int parent = 0; parent < scores.nodes && sum > 0; ++parent) row[parent] /= sum;
    }
}

// The tower's own patches make a tree of any model that has one.
std::string towerTree(const ModelSpec& spec, const std::string& stage) {
    const std::string vision = "vision";
    const bool has = stage != vision && !spec.sitesOfStage(vision).empty();
    return has ? "; a tree of its tower's patches: stage=vision" : "";
}

// Tokens of the picture that are left in every chosen layer.
std::vector<int> treeTokens(const AttentionTrace& trace, const SiteChoice& choice) {
    const StageTokens& stage = trace.tokens().stage(choice.stage);
    std::vector<int> tokens;
    for (const int token : trace.queryTokens(choice.sites.back()))
        if (stage.tokens[static_cast<std::size_t>(token)].kind == TokenKind::Image) tokens.push_back(token);
    std::sort(tokens.begin(), tokens.end());
    if (tokens.empty()) 
        throw Error(fmt::format("stage {} holds no image tokens to make a tree of", choice.stage),
                    whereStageSees(trace.spec(), choice.stage) + towerTree(trace.spec(), choice.stage), ErrorCode::Usage);
    if (static_cast<int>(tokens.size()) > maxNodes)
        throw Error(fmt::format("a tree over {} tokens: at most {} fit", tokens.size(), maxNodes),
                    "use a smaller input picture", ErrorCode::Usage);
    return tokens;
}

EdgeScores combinedScores(AnalysisContext& context, const SiteChoice& choice, const std::vector<int>& tokens,
                          const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const auto kind = params.at("score").get<std::string>();
    if (kind == "last") return layerScores(trace, choice.sites.back(), tokens, params);
    EdgeScores total{static_cast<int>(tokens.size()), {}};
    for (std::size_t i = 0; i < choice.sites.size(); ++i) {
        context.job().progress(static_cast<double>(i) / static_cast<double>(choice.sites.size()),
                               "dependency_tree");
        EdgeScores layer = layerScores(trace, choice.sites[i], tokens, params);
        if (kind == "multi_hop") {
            // T = (I + D) / 2 with columns of D normalised; rows here are those columns.
            normaliseRows(layer);
            for (double& value : layer.values) value /= 2;
            for (int node = 0; node < layer.nodes; ++node) layer.at(node, node) += 0.5;
        }
        if (i == 0) {
            total = std::move(layer);
        } else if (kind == "multi_hop") {
            total.values = multiplied(total.values, layer.values, total.nodes);
        } else {
            for (std::size_t k = 0; k < total.values.size(); ++k)
                total.values[k] = kind == "max" ? std::max(total.values[k], layer.values[k])
                                                : total.values[k] + layer.values[k];
        }
    }
    if (kind == "mean")
        for (double& value : total.values) value /= static_cast<double>(choice.sites.size());
    return total;
}

std::vector<int> parentsOf(const EdgeScores& scores, const nlohmann::json& params) {
    if (params.at("method") == "greedy") return greedyForest(scores);
    const auto root = params.at("root").get<std::string>();
    const RootChoice choice = root == "best"      ? RootChoice::Best
                              : root == "virtual" ? RootChoice::Virtual
                                                  : RootChoice::Received;
    return globalTree(scores, choice, params.at("candidates").get<int>());
}

Tree treeOf(const EdgeScores& scores, const std::vector<int>& parents, std::string stage,
            std::vector<int> tokens) {
    Tree tree;
    tree.stage = std::move(stage);
    tree.tokens = std::move(tokens);
    tree.parent = parents;
    tree.depth = treeDepths(parents);
    for (const double mass : scores.received()) tree.score.push_back(static_cast<float>(mass));
    for (int child = 0; child < scores.nodes; ++child) {
        const int parent = parents[static_cast<std::size_t>(child)];
        const double* row =
            &scores.values[static_cast<std::size_t>(child) * static_cast<std::size_t>(scores.nodes)];
        const double sum = std::accumulate(row, row + scores.nodes, 0.0);
        tree.weight.push_back(parent >= 0 && sum > 0 ? static_cast<float>(scores.at(child, parent) / sum)
                                                     : 0.0F);
    }
    return tree;
}

Table tableOf(const Tree& tree, const StageTokens& stage) {
    const std::vector<int> sizes = subtreeSizes(tree.parent);
    std::vector<int> children(tree.parent.size(), 0);
    for (const int parent : tree.parent)
        if (parent >= 0) ++children[static_cast<std::size_t>(parent)];
    Table table{{{"token", ""},
                 {"row", ""},
                 {"column", ""},
                 {"parent token", ""},
                 {"depth", ""},
                 {"subtree size", ""},
                 {"children", ""},
                 {"leaf", ""},
                 {"confidence", "share"},
                 {"received mass", ""}},
                {}};
    for (std::size_t i = 0; i < tree.tokens.size(); ++i) {
        const Token& token = stage.tokens[static_cast<std::size_t>(tree.tokens[i])];
        const int parent = tree.parent[i];
        table.rows.push_back(
            {static_cast<double>(token.index), static_cast<double>(token.row),
             static_cast<double>(token.column),
             parent < 0 ? Table::Cell("root")
                        : Table::Cell(static_cast<double>(tree.tokens[static_cast<std::size_t>(parent)])),
             static_cast<double>(tree.depth[i]), static_cast<double>(sizes[i]),
             static_cast<double>(children[i]), children[i] == 0 ? "yes" : "no",
             static_cast<double>(tree.weight[i]), static_cast<double>(tree.score[i])});
    }
    return table;
}

std::vector<Finding> computeDependencyTree(AnalysisContext& context, const nlohmann::json& params) {
    const AttentionTrace& trace = context.trace();
    const SiteChoice choice = chosenSites(trace.spec(), params);
    const StageTokens& stage = trace.tokens().stage(choice.stage);
    const std::vector<int> tokens = treeTokens(trace, choice);
    context.job().progress(0, "dependency_tree");
    const EdgeScores scores = combinedScores(context, choice, tokens, params);
    context.job().progress(0.9, "dependency_tree");
    const Tree tree = treeOf(scores, parentsOf(scores, params), choice.stage, tokens);
    const auto roots = std::count(tree.parent.begin(), tree.parent.end(), -1);
    const std::string title = fmt::format(
        "Dependency {}, {}", roots == 1 ? std::string("tree") : fmt::format("forest with {} roots", roots),
        describeSites(trace.spec(), choice));
    const std::string note =
        withEditedShare("approximate - not trained with reversed attention; a child hangs on the token it looks at", trace,
                        choice.sites, params);
    return {{"tree", title, "share", note, tree}, {"table", title, "", note, tableOf(tree, stage)}};
}

}  // namespace

void add_dependency_tree(AnalysisCatalog& catalog) {
    catalog.add(
        {{"dependency_tree",
          "Dependency tree",
          "Every patch hangs on the patch it looks at: DependencyViT's view (arXiv:2304.03282) of an "
          "ordinary "
          "transformer.",
          {{.name = "score",
            .type = ParamType::Choice,
            .defaultValue = "mean",
            .help = "from the last chosen layer, the mean or maximum over the chosen layers, or paths "
                    "through them",
            .choices = {"last", "mean", "max", "multi_hop"}},
           {.name = "method",
            .type = ParamType::Choice,
            .defaultValue = "global",
            .help = "global: the best spanning tree (Chu-Liu/Edmonds); greedy: every patch its best parent, "
                    "cycles "
                    "broken, several roots possible",
            .choices = {"global", "greedy"}},
           {.name = "root",
            .type = ParamType::Choice,
            .defaultValue = "received",
            .help =
                "of the global tree: the patch that receives most; the best of several; or by a virtual root",
            .choices = {"received", "best", "virtual"}},
           {.name = "candidates",
            .type = ParamType::Integer,
            .defaultValue = 8,
            .help = "patches tried as root when root is best",
            .minimum = 1,
            .maximum = 64},
           layersParam("all"),
           headsParam(),
           stageParam(),
           weightsParam("effective")}},
         needsOfSites,
         computeDependencyTree});
}

}  // namespace fovea
