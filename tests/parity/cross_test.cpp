// Analyses of models whose text reads the picture by cross-attention: BLIP and Mllama.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "analyses/test_context.h"
#include "analyses/tiny_text.h"
#include "common/segments.h"
#include "fovea/error.h"
#include "fovea/generate.h"
#include "parity/fixtures.h"

using namespace fovea;
using namespace fovea::test;

namespace {

struct Opened {
    std::shared_ptr<const Model> model;
    std::shared_ptr<const ModelInput> input;

    explicit Opened(const std::string& name) : model(open(caseNamed(name))), input(inputsOf(caseNamed(name), *model)) {}

    Array probabilities(const std::string& address) const {
        RunSpec spec;
        spec.capture.qkv = true;
        spec.capture.sites = {address};
        return runModel(*model, *input, spec).trace->probabilities(model->spec().siteIndex(address));
    }
    std::vector<Finding> run(const std::string& id, const nlohmann::json& params = {}) const {
        return analyse(id, model, input, params);
    }
};

double number(const Table::Cell& cell) { return std::get<double>(cell); }
const Table& tableOf(const std::vector<Finding>& findings, const std::string& name = "table") {
    return std::get<Table>(named(findings, name).data);
}

// What a person is told instead.
std::string hintOf(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::Usage);
        return error.hint();
    }
    FAIL("accepted");
    return {};
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the logit lens of a text with cross-attention ends with what the model says") {
    for (const char* name : {"blip", "blip-question", "mllama-one", "mllama-two"}) {
        INFO(name);
        const Opened on(name);
        GenerateSpec spec;
        spec.maxNewTokens = 2;
        const int said = generate(*on.model, *on.input, spec).ids.front();
        const Table& lens = tableOf(analyseAnswer("logit_lens", on.model, on.input, 2, {{"top", 3}}));
        const int layers = on.model->spec().stage("text").layers;
        REQUIRE(lens.rows.size() == static_cast<std::size_t>(3 * (layers + 1)));
        CHECK(number(lens.rows[lens.rows.size() - 3][4]) == said);
        CHECK_THROWS_AS(on.model->readOut(Array({1, 7}, 0)), Error);
    }
}

TEST_CASE("readers of a box are rows of the cross-attention") {
    const Opened on("blip");
    const Array probs = on.probabilities("text.1.cross");
    REQUIRE(probs.size(2) == 17);  // a class token and 4 x 4 patches of 8 pixels
    const auto found = on.run("box_readers", {{"box", "0,0,12,32"}, {"layers", "1"}, {"heads", "2"}, {"readers", "2-4"}});
    const Table& rows = tableOf(found);
    REQUIRE(rows.rows.size() == 3);
    for (const auto& row : rows.rows) {
        const auto token = static_cast<std::int64_t>(number(row[1]));
        double box = 0, picture = 0;
        for (std::int64_t patch = 0; patch < 16; ++patch) {
            const double value = static_cast<double>(probs.at(2, token, 1 + patch));
            picture += value;
            box += patch % 4 == 0 ? value : patch % 4 == 1 ? value / 2 : 0;
        }
        CHECK(number(row[3]) == doctest::Approx(box));
        CHECK(number(row[4]) == doctest::Approx(picture));
    }
    CHECK(std::get<TokenScores>(named(found, "scores").data).stage == "text");
    CHECK(std::get<TokenScores>(named(found, "scores").data).values.size() == 7);
    CHECK(holds(named(found, "table").note, "mass of the cross-attention (text.1.cross)"));
    // Every word of an answer has the row that wrote it, the first that of the prompt's last token.
    const auto answered = analyseAnswer("box_readers", on.model, on.input, 3, {{"readers", "writing:0"}, {"layers", "1"}, {"heads", "2"}});
    REQUIRE(tableOf(answered).rows.size() == 1);
    double last = 0;
    for (std::int64_t patch = 0; patch < 16; ++patch) last += static_cast<double>(probs.at(2, 6, 1 + patch));
    CHECK(number(tableOf(answered).rows[0][1]) == 7);
    CHECK(number(tableOf(answered).rows[0][4]) == doctest::Approx(last).epsilon(1e-4));
}

TEST_CASE("readers of a box of one of several tiles of Mllama") {
    const Opened on("mllama-two");
    const Array probs = on.probabilities("text.3.cross");
    const StageTokens& keys = on.input->maps[0].stage("projector");
    REQUIRE(keys.size() == probs.size(2));
    const auto found = on.run("box_readers", {{"picture", 2}, {"layers", "3"}, {"heads", "1"}, {"readers", "8"}});
    double mass = 0;
    for (const Token& token : keys.tokens)
        if (token.image == 2) mass += static_cast<double>(probs.at(1, 8, token.index));
    CHECK(mass > 0);
    CHECK(number(tableOf(found).rows[0][3]) == doctest::Approx(mass));
    CHECK(hintOf([&] { on.run("box_readers", {{"layers", "0"}}); }) == "those that do: 1,3");
}

TEST_CASE("heads are ranked by their cross-attention to the picture") {
    const Opened on("blip");
    const Array probs = on.probabilities("text.0.cross");
    const auto ranked = on.run("head_ranking", {{"layers", "0"}, {"queries", "3"}});
    const Table& rows = tableOf(ranked);
    REQUIRE(rows.rows.size() == static_cast<std::size_t>(probs.size(0)));
    for (const auto& row : rows.rows) {
        double mass = 0;
        for (std::int64_t patch = 1; patch < 17; ++patch)
            mass += static_cast<double>(probs.at(static_cast<std::int64_t>(number(row[2])), 3, patch));
        CHECK(number(row[3]) == doctest::Approx(mass));
    }
    // Words are still the text's own attention.
    const auto words = on.run("head_ranking", {{"layers", "0"}, {"queries", "3"}, {"targets", "0-3"}});
    for (const auto& row : tableOf(words).rows) CHECK(number(row[3]) == doctest::Approx(1));  // causal
    CHECK(named(words, "table").note.empty());
    const Opened tiles("mllama-two");
    CHECK(tableOf(tiles.run("head_ranking")).rows.size() == 2 * 4);
    CHECK(tableOf(tiles.run("head_ranking", {{"targets", "image:1"}})).rows.size() == 2 * 4);
}

TEST_CASE("mass by segment: the text's own attention, and apart from it that of the picture") {
    const auto sums = [](const Table& table, std::size_t heads) {
        std::set<std::string> names;
        for (const auto& column : table.columns) CHECK(names.insert(column.name).second);
        CHECK(table.rows.size() == heads);
        for (const auto& row : table.rows) {
            double sum = 0;
            for (std::size_t i = 2; i < row.size(); ++i) sum += number(row[i]);
            CHECK(sum == doctest::Approx(1).epsilon(1e-4));
        }
        return names;
    };
    const Opened on("mllama-two");
    const auto found = on.run("segment_mass", {{"queries", "9"}});
    REQUIRE(found.size() == 4);
    CHECK(sums(tableOf(found), 2 * 4).count("image 0") == 0);
    const std::set<std::string> names = sums(tableOf(found, "table cross"), 2 * 4);
    CHECK((names.count("prefix") == 1 && names.count("image 0") == 1 && names.count("image 4") == 1));
    CHECK(holds(named(found, "curves cross").note, "mass of the cross-attention (text.*.cross)"));
    const auto last = on.run("segment_mass", {{"queries", "9"}, {"layers", "last"}});
    REQUIRE(last.size() == 2);
    CHECK(sums(tableOf(last, "table cross"), 4).count("image 0") == 1);
    CHECK(on.run("segment_mass", {{"queries", "9"}, {"layers", "0"}}).size() == 2);
    const Opened caption("blip");
    const auto both = caption.run("segment_mass", {{"queries", "5"}, {"layers", "1"}});
    REQUIRE(both.size() == 4);
    CHECK(sums(tableOf(both, "table cross"), 4) == std::set<std::string>{"layer", "head", "prefix", "image 0"});
}

TEST_CASE("what cannot serve a text with cross-attention names what does") {
    for (const char* name : {"mllama-one", "blip"}) {
        INFO(name);
        const Opened on(name);
        for (const char* id : {"pixel_rollout", "dependency_tree"}) {
            INFO(id);
            const std::string hint = hintOf([&] { on.run(id); });
            CHECK(holds(hint, "site=text.*.cross"));
            CHECK(holds(hint, "relevance"));
        }
        const std::string hint = hintOf([&] { on.run("scanpath"); });
        CHECK(holds(hint, "map=relevance"));
        CHECK(!on.run("scanpath", {{"map", "relevance"}}).empty());
        CHECK(!on.run("scanpath", {{"map", "attention_from"}, {"map_params", R"({"site":"text.*.cross"})"}}).empty());
        CHECK(!on.run("dependency_tree", {{"stage", "vision"}}).empty());
    }
    const Opened mllama("mllama-one");
    CHECK(holds(hintOf([&] { mllama.run("attention_from", {{"layers", "1"}}); }), "site=text.*.cross"));
    // Of a question the decoder reads the question, and that the picture.
    const Opened question("blip-question");
    CHECK(holds(hintOf([&] { question.run("box_readers"); }), "stage=text_encoder"));
    CHECK(tableOf(question.run("box_readers", {{"stage", "text_encoder"}, {"readers", "1-3"}})).rows.size() == 3);
}

TEST_CASE("class tokens and padding between the tiles of a picture are segments of their own") {
    StageTokens stage{"projector", 0, 0, {}};
    const auto add = [&](TokenKind kind, int image) {
        Token token;
        token.index = stage.size();
        token.kind = kind;
        token.image = image;
        stage.tokens.push_back(token);
    };
    for (const int tile : {0, 1}) {
        add(TokenKind::Special, -1);
        for (int i = 0; i < 2; ++i) add(TokenKind::Image, tile == 0 ? 0 : 1);
        add(TokenKind::Padding, -1);
    }
    const std::vector<Segment> segments = segmentsOf(stage);
    REQUIRE(segments.size() == 4);
    CHECK((segments[0].name == "prefix" && segments[0].tokens == std::vector<int>{0, 4}));
    CHECK((segments[1].name == "image 0" && segments[1].tokens == std::vector<int>{1, 2}));
    CHECK((segments[2].name == "padding" && segments[2].tokens == std::vector<int>{3, 7}));
    CHECK((segments[3].name == "image 1" && segments[3].tokens == std::vector<int>{5, 6}));
}

TEST_CASE("gradients of views that were given as tensors are refused before the model runs") {
    static const Catalog catalog = makeCatalog();
    for (const char* id : {"input_gradient", "gradient_x_input", "integrated_gradients", "smooth_grad"}) {
        INFO(id);
        const Opened on("mllama-one");
        const AnalysisEntry& entry = catalog.analyses.get(id);
        TestContext context(on.model, on.input, {});
        CHECK(holds(hintOf([&] { entry.compute(context, checkedParams(entry.info, {})); }), "relevance"));
        CHECK(context.runs == 0);
    }
}
