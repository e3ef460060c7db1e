#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "analyses/test_context.h"
#include "analyses/tiny_text.h"
#include "attention/toy_model.h"
#include "fovea/catalog.h"
#include "fovea/error.h"
#include "fovea/sinks.h"

using namespace fovea;
using namespace fovea::test;

namespace {

struct Toy {
    ToyOptions options{.blocks = 3, .heads = 4, .tokens = 13};
    std::shared_ptr<const Model> model = makeToyModel(options);
    std::shared_ptr<const ModelInput> input = makeToyInput(options);

    EditPlan plan(const std::string& id, const nlohmann::json& params = {}) const {
        return compile(id, *model, *input, params);
    }
    std::shared_ptr<const AttentionTrace> trace(const EditPlan& edits = {}) const {
        RunSpec spec;
        spec.capture.qkv = true;
        spec.edits = edits;
        return runModel(*model, *input, spec).trace;
    }
};

double rowSum(const Array& probs, int head, int query) {
    double sum = 0;
    for (std::int64_t key = 0; key < probs.size(2); ++key)
        sum += static_cast<double>(probs.at(head, query, key));
    return sum;
}

}  // namespace

TEST_CASE("identity settings compile to an empty plan") {
    const Toy toy;
    CHECK(toy.plan("scale_keys", {{"factor", 1}}).empty());
    CHECK(toy.plan("scale_sinks", {{"factor", 1}}).empty());
    CHECK(toy.plan("mute_heads", {{"gain", 1}}).empty());
    CHECK(toy.plan("temperature", {{"temperature", 1}}).empty());
    CHECK(toy.plan("prune_tokens", {{"share", 0}}).empty());
    CHECK(toy.plan("prune_tokens", {{"by", "chosen"}}).empty());
    CHECK(toy.plan("scale_sinks", {{"ratio", 1000}}).empty());  // no sinks
}

TEST_CASE("an edit reaches tokens that an answer is still to have") {
    const auto model = loadTinyLlama();
    const auto input = idsInput(*model, {1, 5, 7, 8, 3});
    const auto queries = [&](const std::string& id, const std::string& text, int answerTokens) {
        static const Catalog catalog = makeCatalog();
        const InterventionEntry& entry = catalog.interventions.get(id);
        EditPlan plan;
        entry.compile({model->spec(), input->maps.front(), {}, answerTokens},
                      checkedParams(entry.info, {{"tokens", "0"}, {"queries", text}}), plan);
        return plan.sites.front().factors.front().queries;
    };
    for (const char* id : {"knock_out_keys", "scale_keys"}) {
        CHECK(queries(id, "answer", 3) == std::vector<int>{5, 6, 7});
        CHECK(queries(id, "answer:1-last", 3) == std::vector<int>{6, 7});
        CHECK(queries(id, "writing", 3) == std::vector<int>{4, 5, 6});
        CHECK(queries(id, "writing:1-last", 3) == std::vector<int>{5, 6});
        CHECK(queries(id, "2; answer:0", 3) == std::vector<int>{2, 5});
        CHECK(queries(id, "6-7", 3) == std::vector<int>{6, 7});
        // These mean the prompt as ever.
        CHECK(queries(id, "last", 3) == std::vector<int>{4});
        CHECK(queries(id, "3-last", 3) == std::vector<int>{3, 4});
        CHECK(queries(id, "-2", 3) == std::vector<int>{3});
        CHECK_THROWS_AS(queries(id, "answer:3", 3), Error);
        CHECK_THROWS_AS(queries(id, "8", 3), Error);
        CHECK_THROWS_AS(queries(id, "answer", 0), Error);
        CHECK_THROWS_AS(queries(id, "writing", 0), Error);
        CHECK_THROWS_AS(queries(id, "5", 0), Error);
    }
}

TEST_CASE("scaling keys: closed forms of the three row sums") {
    const Toy toy;
    const Array before = toy.trace()->probabilities(0);
    for (const char* rule : {"free", "compensate", "renormalise"}) {
        const EditPlan plan = toy.plan("scale_keys", {{"tokens", "2,5"},
                                                      {"factor", 0.25},
                                                      {"row_sum", rule},
                                                      {"layers", "0"},
                                                      {"heads", "1,2"},
                                                      {"queries", "0,4"}});
        const Array after = toy.trace(plan)->probabilities(0);
        for (int head = 0; head < 4; ++head)
            for (int query = 0; query < 13; ++query) {
                const bool touched = (head == 1 || head == 2) && (query == 0 || query == 4);
                const double group =
                    static_cast<double>(before.at(head, query, 2) + before.at(head, query, 5));
                const double left = 1 - 0.75 * group;
                for (int key = 0; key < 13; ++key) {
                    const bool scaled = key == 2 || key == 5;
                    double expected = static_cast<double>(before.at(head, query, key));
                    if (touched && scaled) expected *= 0.25;
                    if (touched && std::string(rule) == "renormalise") expected /= left;
                    if (touched && std::string(rule) == "compensate" && !scaled)
                        expected *= (1 - 0.25 * group) / (1 - group);
                    CHECK(static_cast<double>(after.at(head, query, key)) ==
                          doctest::Approx(expected).epsilon(1e-5));
                }
                CHECK(rowSum(after, head, query) ==
                      doctest::Approx(touched && std::string(rule) == "free" ? left : 1));
            }
    }
}

TEST_CASE("knocking out equals scaling by 0") {
    const Toy toy;
    CHECK(toy.plan("knock_out_keys", {{"tokens", "7"}, {"layers", "1"}}) ==
          toy.plan("scale_keys", {{"tokens", "7"}, {"layers", "1"}, {"factor", 0}}));
    const EditPlan open = toy.plan("knock_out_keys", {{"tokens", "7"}, {"renormalise", false}});
    CHECK(open == toy.plan("scale_keys", {{"tokens", "7"}, {"factor", 0}, {"row_sum", "free"}}));
    const Array probs = toy.trace(open)->probabilities(1);
    for (int query = 0; query < 13; ++query) {
        CHECK(probs.at(2, query, 7) == 0);
        CHECK(rowSum(probs, 2, query) < 1);
    }
}

TEST_CASE("all heads and all queries are listed as empty") {
    const Toy toy;
    const EditPlan plan = toy.plan("scale_keys");
    REQUIRE(plan.sites.size() == 3);
    CHECK(plan.sites[0].factors[0].heads.empty());
    CHECK(plan.sites[0].factors[0].queries.empty());
    CHECK(plan.sites[0].factors[0].keys == std::vector<int>{0});
}

TEST_CASE("muted heads write nothing, others are as before") {
    const Toy toy;
    const EditPlan plan = toy.plan("mute_heads", {{"heads", "1,3"}, {"layers", "all"}, {"gain", 0.5}});
    REQUIRE(plan.sites.size() == 3);
    CHECK(plan.sites[1].headGain == std::vector<double>{1, 0.5, 1, 0.5});
    EditPlan twice = plan;
    const Catalog catalog = makeCatalog();
    const InterventionEntry& entry = catalog.interventions.get("mute_heads");
    entry.compile({toy.model->spec(), toy.input->maps[0], {}},
                  checkedParams(entry.info, {{"heads", "1"}, {"layers", "0"}, {"gain", 0.5}}), twice);
    CHECK(twice.sites[0].headGain == std::vector<double>{1, 0.25, 1, 0.5});
    const Array before = toy.trace()->probabilities(0), after = toy.trace(plan)->probabilities(0);
    CHECK(static_cast<double>(after.at(1, 4, 6)) ==
          doctest::Approx(0.5 * static_cast<double>(before.at(1, 4, 6))));
    CHECK(static_cast<double>(after.at(0, 4, 6)) ==
          doctest::Approx(static_cast<double>(before.at(0, 4, 6))).epsilon(1e-6));
}

TEST_CASE("temperature: probabilities are the old ones to the power 1/T, renormalised") {
    const Toy toy;
    const Array before = toy.trace()->probabilities(0);
    const Array after =
        toy.trace(toy.plan("temperature", {{"temperature", 2.5}, {"heads", "3"}}))->probabilities(0);
    double sum = 0;
    for (int key = 0; key < 13; ++key) sum += std::pow(static_cast<double>(before.at(3, 6, key)), 0.4);
    for (int key = 0; key < 13; ++key)
        CHECK(static_cast<double>(after.at(3, 6, key)) ==
              doctest::Approx(std::pow(static_cast<double>(before.at(3, 6, key)), 0.4) / sum).epsilon(1e-5));
    CHECK(static_cast<double>(after.at(2, 6, 5)) ==
          doctest::Approx(static_cast<double>(before.at(2, 6, 5))).epsilon(1e-6));
}

TEST_CASE("sinks are scaled head by head, by ACT's rule, and protected tokens are spared") {
    const Toy toy;
    const auto unedited = toy.trace();
    const nlohmann::json params = {{"ratio", 1.5}, {"factor", 0.4}, {"layers", "1"}};
    const EditPlan plan = toy.plan("scale_sinks", params);
    REQUIRE(plan.sites.size() == 1);
    const Array mass = incomingMass(*unedited, 1);
    for (int head = 0; head < 4; ++head) {
        std::vector<int> expected, found;
        for (int key = 1; key < 13; ++key)
            if (static_cast<double>(mass.at(head, key)) > 1.5 / 13) expected.push_back(key);
        for (const GroupFactor& factor : plan.sites[0].factors)
            if (std::count(factor.heads.begin(), factor.heads.end(), head)) {
                found = factor.keys;
                CHECK(factor.rowSum == RowSum::Compensate);
            }
        CHECK(found == expected);
    }
    const Array before = unedited->probabilities(1), after = toy.trace(plan)->probabilities(1);
    const GroupFactor& factor = plan.sites[0].factors.front();
    const int head = factor.heads.front();
    for (int query = 0; query < 13; ++query) {
        double group = 0;
        for (const int key : factor.keys) group += static_cast<double>(before.at(head, query, key));
        for (int key = 0; key < 13; ++key) {
            const bool sink = std::count(factor.keys.begin(), factor.keys.end(), key) > 0;
            const double expected = static_cast<double>(before.at(head, query, key)) *
                                    (sink ? 0.4 : (1 - 0.4 * group) / (1 - group));
            CHECK(static_cast<double>(after.at(head, query, key)) == doctest::Approx(expected).epsilon(1e-5));
        }
    }
    nlohmann::json spared = params;
    const int sink = factor.keys.front();
    spared["protect"] = std::to_string(sink);
    const EditPlan rest = toy.plan("scale_sinks", spared);
    for (const SiteEdit& edit : rest.sites)
        for (const GroupFactor& other : edit.factors)
            CHECK(std::count(other.keys.begin(), other.keys.end(), sink) == 0);
}

TEST_CASE("pruning drops the least attended patches, never the class token by itself") {
    const Toy toy;
    const EditPlan plan = toy.plan("prune_tokens", {{"from_layer", "2"}, {"count", 4}});
    REQUIRE(plan.prunes.size() == 1);
    CHECK(plan.prunes[0].block == 2);
    const Array row = toy.trace()->rows(1, {0});
    std::vector<std::pair<double, int>> order;
    for (int key = 1; key < 13; ++key) {
        double mean = 0;
        for (int head = 0; head < 4; ++head) mean += static_cast<double>(row.at(head, 0, key));
        order.emplace_back(mean, key);
    }
    std::sort(order.begin(), order.end());
    std::vector<int> expected;
    for (int i = 0; i < 4; ++i) expected.push_back(order[static_cast<std::size_t>(i)].second);
    std::sort(expected.begin(), expected.end());
    CHECK(plan.prunes[0].dropped == expected);
    CHECK(toy.plan("prune_tokens", {{"share", 0.5}}).prunes[0].dropped.size() == 6);
    CHECK(toy.plan("prune_tokens", {{"share", 1}}).prunes[0].dropped.size() == 12);
    const auto trace = toy.trace(plan);
    CHECK(trace->keys(1) == 13);
    CHECK(trace->keys(2) == 9);
    CHECK(toy.plan("prune_tokens", {{"by", "chosen"}, {"tokens", "cls"}}).prunes[0].dropped ==
          std::vector<int>{0});
}

TEST_CASE("selections that do not exist are usage errors") {
    const Toy toy;
    const std::pair<const char*, nlohmann::json> wrong[] = {
        {"scale_keys", {{"tokens", "99"}}},        {"scale_keys", {{"layers", "3"}}},
        {"scale_keys", {{"heads", "4"}}},          {"scale_keys", {{"stage", "text"}}},
        {"scale_keys", {{"tokens", "registers"}}}, {"scale_keys", {{"queries", "grid:9,9"}}},
        {"knock_out_keys", {{"tokens", ""}}},      {"mute_heads", {{"heads", ""}}},
        {"temperature", {{"layers", "-9"}}},       {"prune_tokens", {{"from_layer", "0-1"}}},
        {"prune_tokens", {{"count", 13}}},         {"prune_tokens", {{"by", "chosen"}, {"tokens", "all"}}},
        {"scale_sinks", {{"protect", "77"}}}};
    for (const auto& [id, params] : wrong) {
        CAPTURE(id);
        CAPTURE(params.dump());
        try {
            toy.plan(id, params);
            FAIL("accepted");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::Usage);
            CHECK(std::string(error.what()).size() > 10);
        }
    }
}
