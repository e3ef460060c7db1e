// Analyses of attention against plain loops over the whole probabilities of a toy model.
#include <doctest/doctest.h>

#include <cmath>

#include "analyses/test_context.h"
#include "attention/toy_model.h"
#include "fovea/sinks.h"

using namespace fovea;
using namespace fovea::test;

namespace {

struct Toy {
    ToyOptions options{.blocks = 3, .heads = 4, .keyValueHeads = 2, .tokens = 13};
    std::shared_ptr<const Model> model = makeToyModel(options);
    std::shared_ptr<const ModelInput> input = makeToyInput(options);

    std::vector<Finding> run(const std::string& id, const nlohmann::json& params = {},
                             const EditPlan& edits = {}) const {
        return analyse(id, model, input, params, edits);
    }
    // Probabilities of a layer, [heads, query, key].
    Array whole(int layer, const EditPlan& edits = {}) const { return trace(edits)->probabilities(layer); }
    std::shared_ptr<const AttentionTrace> trace(const EditPlan& edits = {}) const {
        RunSpec spec;
        spec.capture.qkv = spec.capture.hidden = true;
        spec.edits = edits;
        return runModel(*model, *input, spec).trace;
    }
    int tokens() const { return options.tokens; }
};

const std::vector<float>& scores(const std::vector<Finding>& findings, const std::string& name = "scores") {
    return std::get<TokenScores>(named(findings, name).data).values;
}

const Grid& map(const std::vector<Finding>& findings) {
    return std::get<Grid>(named(findings, "map").data);
}

double cell(const Table& table, std::size_t row, const std::string& column) {
    for (std::size_t i = 0; i < table.columns.size(); ++i)
        if (table.columns[i].name == column) return std::get<double>(table.rows[row][i]);
    FAIL("no column " << column);
    return 0;
}

std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b, int n) {
    std::vector<double> out(a.size(), 0.0);
    for (int i = 0; i < n; ++i)
        for (int k = 0; k < n; ++k)
            for (int j = 0; j < n; ++j)
                out[static_cast<std::size_t>(i * n + j)] +=
                    a[static_cast<std::size_t>(i * n + k)] * b[static_cast<std::size_t>(k * n + j)];
    return out;
}

std::vector<double> halfIdentity(const Array& probs, HeadFusion fusion) {
    const auto n = static_cast<int>(probs.size(1));
    std::vector<double> out(static_cast<std::size_t>(n * n));
    for (int i = 0; i < n; ++i) {
        double sum = 1;
        for (int j = 0; j < n; ++j) {
            double value = fusion == HeadFusion::Mean ? 0 : static_cast<double>(probs.at(0, i, j));
            for (std::int64_t h = 0; h < probs.size(0); ++h) {
                const double p = static_cast<double>(probs.at(h, i, j));
                value = fusion == HeadFusion::Mean  ? value + p / static_cast<double>(probs.size(0))
                        : fusion == HeadFusion::Max ? std::max(value, p)
                                                    : std::min(value, p);
            }
            out[static_cast<std::size_t>(i * n + j)] = value;
            sum += value;
        }
        out[static_cast<std::size_t>(i * n + i)] += 1;
        for (int j = 0; j < n; ++j) out[static_cast<std::size_t>(i * n + j)] /= sum;
    }
    return out;
}

}  // namespace

TEST_CASE("attention_from is the mean row of the queries") {
    const Toy toy;
    const Array last = toy.whole(2), first = toy.whole(0);
    const auto fromClass = toy.run("attention_from");
    for (int key = 0; key < toy.tokens(); ++key) {
        double mean = 0;
        for (int head = 0; head < 4; ++head) mean += static_cast<double>(last.at(head, 0, key)) / 4;
        CHECK(static_cast<double>(scores(fromClass)[static_cast<std::size_t>(key)]) ==
              doctest::Approx(mean).epsilon(1e-5));
        if (key > 0)
            CHECK(map(fromClass).at(0, (key - 1) / 3, (key - 1) % 3) ==
                  scores(fromClass)[static_cast<std::size_t>(key)]);
    }
    CHECK(map(fromClass).area == Rect{0, 0, 24, 32});

    const auto heads = toy.run(
        "attention_from", {{"queries", "2,5"}, {"planes", "heads"}, {"heads", "1,3"}, {"layers", "0,2"}});
    CHECK(map(heads).planes == std::vector<std::string>{"head 1", "head 3"});
    double expected = 0;
    for (const Array* layer : {&first, &last})
        for (const int query : {2, 5}) expected += static_cast<double>(layer->at(3, query, 12)) / 4;
    CHECK(static_cast<double>(map(heads).at(1, 3, 2)) == doctest::Approx(expected).epsilon(1e-5));

    const auto each = toy.run("attention_from", {{"planes", "layers_heads"}, {"layers", "all"}});
    CHECK(map(each).planeCount() == 12);
    CHECK(map(each).planes[5] == "layer 1 head 1");
    const auto most = toy.run("attention_from", {{"fusion", "max"}, {"queries", "4"}});
    float largest = 0;
    for (int head = 0; head < 4; ++head) largest = std::max(largest, last.at(head, 4, 7));
    CHECK(scores(most)[7] == doctest::Approx(largest).epsilon(1e-6));
}

TEST_CASE("a title speaks of fused heads only where heads are fused") {
    const Toy toy;
    for (const char* id : {"attention_from", "attention_to"})
        for (const char* planes : {"fused", "layers", "heads", "layers_heads"}) {
            const auto findings = toy.run(id, {{"planes", planes}, {"layers", "all"}});
            const bool apart = std::string(planes).find("heads") != std::string::npos;
            const std::string title = named(findings, "map").title;
            CHECK((title.find("mean of 4 heads") == std::string::npos) == apart);
            CHECK(title.find("each head") == std::string::npos);
            CHECK(named(findings, "scores").title.find("mean of 4 heads") != std::string::npos);
        }
}

TEST_CASE("attention_to sums the columns of the keys") {
    const Toy toy;
    const Array last = toy.whole(2);
    const auto found = toy.run("attention_to", {{"keys", "3,9"}, {"heads", "0-2"}});
    for (int query = 0; query < toy.tokens(); ++query) {
        double sum = 0;
        for (int head = 0; head < 3; ++head)
            sum += static_cast<double>(last.at(head, query, 3) + last.at(head, query, 9)) / 3;
        CHECK(static_cast<double>(scores(found)[static_cast<std::size_t>(query)]) ==
              doctest::Approx(sum).epsilon(1e-5));
    }
}

TEST_CASE("rollout equals the product of whole matrices") {
    const Toy toy;
    const int n = toy.tokens();
    for (const auto& [word, fusion] :
         {std::pair{"mean", HeadFusion::Mean}, {"max", HeadFusion::Max}, {"min", HeadFusion::Min}}) {
        std::vector<double> whole = halfIdentity(toy.whole(1), fusion);
        whole = product(halfIdentity(toy.whole(2), fusion), whole, n);
        const auto found = toy.run("rollout", {{"fusion", word}, {"start_layer", 1}, {"queries", "4"}});
        for (int key = 0; key < n; ++key)
            CHECK(static_cast<double>(scores(found)[static_cast<std::size_t>(key)]) ==
                  doctest::Approx(whole[static_cast<std::size_t>(4 * n + key)]).epsilon(1e-5));
    }
    // All tokens as queries: then a mean of heads is one product with A^T.
    std::vector<double> whole = product(halfIdentity(toy.whole(2), HeadFusion::Mean),
                                        halfIdentity(toy.whole(1), HeadFusion::Mean), n);
    const auto every = toy.run("rollout", {{"start_layer", 1}, {"queries", "0-12"}});
    for (int key = 0; key < n; ++key) {
        double mean = 0;
        for (int query = 0; query < n; ++query) mean += whole[static_cast<std::size_t>(query * n + key)] / n;
        CHECK(static_cast<double>(scores(every)[static_cast<std::size_t>(key)]) ==
              doctest::Approx(mean).epsilon(1e-5));
    }
    double sum = 0;
    const auto discarded = toy.run("rollout", {{"discard", 0.9}});
    for (const float value : scores(discarded)) sum += static_cast<double>(value);
    CHECK(sum == doctest::Approx(1));
    CHECK_THROWS_AS(toy.run("rollout", {{"start_layer", 3}}), Error);
}

TEST_CASE("relevance equals the product of whole matrices") {
    const Toy toy;
    const int n = toy.tokens();
    RunSpec spec;
    spec.objective = Objective{Objective::Kind::Logit, "logits", 1};
    spec.gradients.attention = true;
    const auto trace = runModel(*toy.model, *toy.input, spec).trace;
    for (const std::string part : {"positive", "signed", "absolute"}) {
        std::vector<double> whole(static_cast<std::size_t>(n * n), 0.0);
        for (int i = 0; i < n; ++i) whole[static_cast<std::size_t>(i * n + i)] = 1;
        for (int layer = 0; layer < 3; ++layer) {  // R = (I + E_L) ... (I + E_1)
            const Array probs = trace->probabilities(layer), gradient = trace->probabilityGradient(layer);
            std::vector<double> step(static_cast<std::size_t>(n * n), 0.0);
            for (int i = 0; i < n; ++i)
                for (int j = 0; j < n; ++j) {
                    double& cell = step[static_cast<std::size_t>(i * n + j)];
                    for (int head = 0; head < 4; ++head) {
                        const double e = static_cast<double>(probs.at(head, i, j)) *
                                         static_cast<double>(gradient.at(head, i, j)) / 4;
                        cell += part == "positive" ? std::max(e, 0.0) : part == "signed" ? e : std::abs(e);
                    }
                    if (i == j) cell += 1;
                }
            whole = product(step, whole, n);
        }
        const auto found = toy.run("relevance", {{"part", part}, {"target", "1"}, {"queries", "0"}});
        double largest = 0;
        for (int key = 0; key < n; ++key)
            largest = std::max(largest, std::abs(whole[static_cast<std::size_t>(key)] - (key == 0 ? 1 : 0)));
        for (int key = 0; key < n; ++key)
            CHECK(std::abs(static_cast<double>(scores(found)[static_cast<std::size_t>(key)]) -
                           (whole[static_cast<std::size_t>(key)] - (key == 0 ? 1 : 0))) < 1e-5 * largest);
    }
    CHECK_THROWS_AS(toy.run("relevance", {{"target", "9"}}), Error);
}

TEST_CASE("attention matrix: tiles, pooled means, and a life of its own") {
    const Toy toy;
    const Array last = toy.whole(2);
    std::shared_ptr<const MatrixSource> source;
    {
        const auto found = toy.run("attention_matrix", {{"heads", "2"}});
        source = std::get<PairMatrix>(named(found, "matrix").data).source;
    }
    REQUIRE((source->rows() == 13 && source->columns() == 13));
    const Array tile = source->tile(2, 5, 9, 99);
    REQUIRE((tile.size(0) == 3 && tile.size(1) == 4));
    for (int row = 0; row < 3; ++row)
        for (int column = 0; column < 4; ++column)
            CHECK(tile.at(row, column) == doctest::Approx(last.at(2, row + 2, column + 9)).epsilon(1e-5));
    const Array pooled = source->pooled(5);
    REQUIRE((pooled.size(0) == 3 && pooled.size(1) == 3));
    double sum = 0;
    for (int row = 10; row < 13; ++row)
        for (int column = 5; column < 10; ++column) sum += static_cast<double>(last.at(2, row, column));
    CHECK(static_cast<double>(pooled.at(2, 1)) == doctest::Approx(sum / 15).epsilon(1e-5));
    CHECK_THROWS_AS(toy.run("attention_matrix", {{"layers", "all"}}), Error);
}

TEST_CASE("head statistics against plain loops") {
    const Toy toy;
    const auto found = toy.run("head_statistics");
    const Table& table = std::get<Table>(named(found, "table").data);
    REQUIRE(table.rows.size() == 12);
    for (const int layer : {0, 2}) {
        const Array probs = toy.whole(layer);
        for (int head = 0; head < 4; ++head) {
            double entropy = 0, prefix = 0, diagonal = 0, largest = 0, distance = 0, own = 0;
            for (int q = 0; q < 13; ++q) {
                double top = 0, mass = 0, far = 0, row = 0;
                for (int k = 0; k < 13; ++k) {
                    const double p = static_cast<double>(probs.at(head, q, k));
                    row -= p * std::log(p);
                    top = std::max(top, p);
                    if (k > 0)
                        mass += p,
                            far += p * std::hypot((q - 1) / 3 - (k - 1) / 3, (q - 1) % 3 - (k - 1) % 3);
                }
                entropy += row / 13, largest += top / 13;
                prefix += static_cast<double>(probs.at(head, q, 0)) / 13;
                diagonal += static_cast<double>(probs.at(head, q, q)) / 13;
                if (q == 0) own = row;
                if (q > 0) distance += far / mass / 12;
            }
            const auto row = static_cast<std::size_t>(layer * 4 + head);
            CHECK(cell(table, row, "layer") == layer);
            CHECK(cell(table, row, "entropy") == doctest::Approx(entropy).epsilon(1e-5));
            CHECK(cell(table, row, "normalised entropy") ==
                  doctest::Approx(entropy / std::log(13)).epsilon(1e-5));
            CHECK(cell(table, row, "class token entropy") == doctest::Approx(own).epsilon(1e-5));
            CHECK(cell(table, row, "mean distance") == doctest::Approx(distance).epsilon(1e-5));
            CHECK(cell(table, row, "prefix mass") == doctest::Approx(prefix).epsilon(1e-5));
            CHECK(cell(table, row, "diagonal mass") == doctest::Approx(diagonal).epsilon(1e-5));
            CHECK(cell(table, row, "max weight") == doctest::Approx(largest).epsilon(1e-5));
            CHECK((cell(table, row, "effective rank") >= 1 && cell(table, row, "effective rank") <= 13.001));
        }
    }
    const Series& curves = std::get<Series>(named(found, "mean_distance").data);
    CHECK(curves.lines[0].x == std::vector<double>{0, 1, 2});
    CHECK(curves.lines[1].y[1] <= curves.lines[0].y[1]);
    const auto sampled = toy.run("head_statistics", {{"rank_rows", 4}});
    CHECK(named(sampled, "table").note.find("4 evenly spaced rows of 13") != std::string::npos);
    CHECK(cell(std::get<Table>(named(sampled, "table").data), 0, "effective rank") <= 4.0001);
}

TEST_CASE("sinks: incoming mass, rate and value-weighted mass") {
    const Toy toy;
    const auto trace = toy.trace();
    const nlohmann::json params = {
        {"rule", "absolute"}, {"threshold", 0.1}, {"min_rate", 0.5}, {"rows", 100}};
    const auto found = toy.run("sinks", params);
    const std::vector<float>&mass = scores(found), &rate = scores(found, "sink_rate");
    const std::vector<float>& weighted = scores(found, "value_weighted");
    double totalWeighted = 0;
    for (int key = 0; key < 13; ++key) {
        double expected = 0, above = 0;
        for (int layer = 0; layer < 3; ++layer)
            for (int head = 0; head < 4; ++head) {
                double column = 0;
                const Array probs = trace->columns(layer, {key});
                for (int query = 0; query < 13; ++query)
                    column += static_cast<double>(probs.at(head, query, 0)) / 13;
                expected += column / 12;
                above += column > 0.1 ? 1.0 / 12 : 0;
            }
        const auto i = static_cast<std::size_t>(key);
        CHECK(static_cast<double>(mass[i]) == doctest::Approx(expected).epsilon(1e-5));
        CHECK(static_cast<double>(rate[i]) == doctest::Approx(above).epsilon(1e-5));
        totalWeighted += static_cast<double>(weighted[i]);
    }
    CHECK(totalWeighted == doctest::Approx(1));
    // One head, one layer: A-bar ||v W_O|| by hand.
    const auto single = toy.run("sinks", {{"layers", "1"}, {"heads", "3"}});
    const Array norms = trace->valueNorms(1), incoming = incomingMass(*trace, 1);
    double sum = 0;
    for (int key = 0; key < 13; ++key) sum += static_cast<double>(norms.at(3, key) * incoming.at(3, key));
    CHECK(static_cast<double>(scores(single, "value_weighted")[5]) ==
          doctest::Approx(static_cast<double>(norms.at(3, 5) * incoming.at(3, 5)) / sum).epsilon(1e-5));
    const Table& table = std::get<Table>(named(found, "table").data);
    CHECK(table.rows.size() == 13);
    for (std::size_t row = 0; row < 13; ++row) {
        // The norm is that of the token behind the layer that the table names.
        const int token = static_cast<int>(cell(table, row, "token"));
        const Array stream =
            trace->hidden("vision", static_cast<int>(cell(table, row, "norm behind layer")) + 1);
        double norm = 0;
        for (int d = 0; d < 16; ++d) norm += std::pow(static_cast<double>(stream.at(token, d)), 2);
        CHECK(cell(table, row, "norm") == doctest::Approx(std::sqrt(norm)).epsilon(1e-5));
    }
    CHECK(std::get<Table>(named(found, "heads").data).rows.size() == 12);
}

TEST_CASE("a planted sink is found, by exactly its token") {
    const Toy toy;
    // Scaling key 6 in every row, renormalised, makes it a sink of the effective weights.
    const EditPlan edits = compile("scale_keys", *toy.model, *toy.input, {{"tokens", "6"}, {"factor", 60}});
    const auto found = toy.run("sinks", {{"weights", "effective"}}, edits);
    const Table& table = std::get<Table>(named(found, "table").data);
    CHECK(cell(table, 0, "token") == 6);
    CHECK(std::get<std::string>(table.rows[0][5]) == "yes");
    CHECK(std::get<std::string>(table.rows[1][5]) == "no");
}

TEST_CASE("pruned tokens have no value, and the others keep their place") {
    const Toy toy;
    const EditPlan edits = compile("prune_tokens", *toy.model, *toy.input,
                                   {{"by", "chosen"}, {"tokens", "3,8"}, {"from_layer", "1"}});
    const auto found = toy.run("attention_from", {{"layers", "2"}}, edits);
    for (int token = 0; token < 13; ++token)
        CHECK(std::isnan(scores(found)[static_cast<std::size_t>(token)]) == (token == 3 || token == 8));
    CHECK(std::isnan(map(found).at(0, 0, 2)));
    const auto whole = toy.run("attention_from", {{"layers", "0"}}, edits);
    CHECK(!std::isnan(scores(whole)[3]));
    // Through the layers where it was still there, a pruned token does receive rollout.
    const auto rolled = toy.run("rollout", {}, edits);
    CHECK(scores(rolled)[3] > 0);
    double sum = 0;
    for (const float value : scores(rolled)) sum += static_cast<double>(value);
    CHECK(sum == doctest::Approx(1));
    for (const char* analysis : {"attention_from", "segment_mass", "head_ranking"})
        CHECK_THROWS_WITH_AS(toy.run(analysis, {{"layers", "2"}, {"queries", "3"}}, edits),
                             "queries: none of them is left at vision.2.self after pruning", Error);
    const auto matrix = toy.run("attention_matrix", {}, edits);
    const auto source = std::get<PairMatrix>(named(matrix, "matrix").data).source;
    const Array tile = source->tile(0, 13, 0, 13);
    CHECK(std::isnan(tile.at(0, 8)));
    CHECK(std::isnan(tile.at(3, 0)));
    const auto row = toy.run("attention_from", {{"queries", "9"}}, edits);
    CHECK(tile.at(9, 10) == doctest::Approx(scores(row)[10]).epsilon(1e-5));
    CHECK_NOTHROW(toy.run("sinks", {}, edits));
    CHECK_NOTHROW(toy.run("head_statistics", {}, edits));
    const auto tree = toy.run("dependency_tree", {}, edits);
    CHECK(std::get<Tree>(named(tree, "tree").data).tokens.size() == 10);
}

TEST_CASE("dependency tree: every node below one root, confidences from the scores") {
    const Toy toy;
    for (const char* score : {"last", "mean", "max", "multi_hop"}) {
        const auto found = toy.run("dependency_tree", {{"score", score}});
        const Tree& tree = std::get<Tree>(named(found, "tree").data);
        REQUIRE(tree.tokens.size() == 12);
        CHECK(std::count(tree.parent.begin(), tree.parent.end(), -1) == 1);
        CHECK(tree.tokens.front() == 1);
        for (std::size_t i = 0; i < 12; ++i) {
            CHECK((tree.weight[i] >= 0 && tree.weight[i] <= 1));
            if (tree.parent[i] >= 0)
                CHECK(tree.depth[i] == tree.depth[static_cast<std::size_t>(tree.parent[i])] + 1);
        }
    }
    const auto greedy = toy.run("dependency_tree", {{"score", "last"}, {"method", "greedy"}, {"heads", "1"}});
    const Tree& forest = std::get<Tree>(named(greedy, "tree").data);
    const Array last = toy.whole(2);
    for (std::size_t child = 0; child < 12; ++child) {
        if (forest.parent[child] < 0) continue;
        const int parent = forest.parent[child];
        for (int other = 0; other < 12; ++other)
            CHECK(last.at(1, static_cast<int>(child) + 1, parent + 1) >=
                  last.at(1, static_cast<int>(child) + 1, other + 1));
    }
}

TEST_CASE("a scanpath starts where it should and stays inside the picture") {
    const Toy toy;
    const auto found = toy.run("scanpath", {{"start", "maximum"},
                                            {"map", "attention_from"},
                                            {"upsample", 1},
                                            {"map_params", "{\"queries\": \"5\"}"}});
    const auto source = toy.run("attention_from", {{"queries", "5"}});
    const Grid& grid = map(source);
    int best = 0;
    for (int i = 0; i < 12; ++i)
        if (grid.values[static_cast<std::size_t>(i)] > grid.values[static_cast<std::size_t>(best)]) best = i;
    const Path& path = std::get<Path>(named(found, "path").data);
    CHECK(path.fixations[0].x == 8 * (best % 3) + 4);
    CHECK(path.fixations[0].y == 8 * (best / 3) + 4);
    const auto masked = toy.run("scanpath", {{"start", "maximum"},
                                             {"map", "attention_from"},
                                             {"upsample", 1},
                                             {"map_params", "{\"queries\": \"5\"}"},
                                             {"mask", std::to_string(best + 1)}});
    CHECK(std::get<Path>(named(masked, "path").data).fixations[0].x +
              100 * std::get<Path>(named(masked, "path").data).fixations[0].y !=
          path.fixations[0].x + 100 * path.fixations[0].y);
    CHECK_THROWS_AS(toy.run("scanpath", {{"map", "scanpath"}}), Error);
    CHECK_THROWS_AS(toy.run("scanpath", {{"map", "head_statistics"}}), Error);
    CHECK_THROWS_AS(toy.run("scanpath", {{"map_params", "[1]"}}), Error);
    CHECK_THROWS_AS(toy.run("scanpath", {{"map_params", "{\"nothing\": 1}"}}), Error);
}

TEST_CASE("needs name exactly the sites that are looked at") {
    const Toy toy;
    const Catalog catalog = makeCatalog();
    const auto sites = [&](const std::string& id, const nlohmann::json& params) {
        const AnalysisEntry& entry = catalog.analyses.get(id);
        return entry.needs(toy.model->spec(), checkedParams(entry.info, params)).capture.sites;
    };
    CHECK(sites("attention_from", {}) == std::vector<std::string>{"vision.2.self"});
    CHECK(sites("attention_from", {{"site", "vision.?.self"}}).size() == 3);
    CHECK(sites("rollout", {{"start_layer", 1}}) ==
          std::vector<std::string>{"vision.1.self", "vision.2.self"});
    CHECK(sites("scanpath", {{"map", "attention_from"}}) == std::vector<std::string>{"vision.2.self"});
    const AnalysisEntry& gradient = catalog.analyses.get("input_gradient");
    CHECK(!gradient.needs(toy.model->spec(), checkedParams(gradient.info, {})).capture.wantsSites());
}
