// Analyses of prompts: segments, heads by attention to a picture, attention flow.
#include <doctest/doctest.h>

#include <cmath>

#include "analyses/test_context.h"
#include "attention/toy_model.h"
#include "common/attention_flow.h"
#include "common/segments.h"
#include "common/site_choice.h"
#include "fovea/error.h"
#include "fovea/selection.h"

using namespace fovea;
using namespace fovea::test;

namespace {

using Matrix = std::vector<std::vector<double>>;

std::vector<double> times(const std::vector<double>& v, const Matrix& m) {
    std::vector<double> out(v.size(), 0.0);
    for (std::size_t i = 0; i < v.size(); ++i)
        for (std::size_t j = 0; j < v.size(); ++j) out[j] += v[i] * m[i][j];
    return out;
}

// The golden example of the sinks reference §4: maps after head weights, N = 3, two layers.
const Matrix first{{2.35 / 3, 0, 0}, {1.715 / 3, .635 / 3, 0}, {1.28 / 3, .435 / 3, .635 / 3}};
const Matrix second{{2.2 / 3, 0, 0}, {.775 / 3, 1.425 / 3, 0}, {.43 / 3, 1.12 / 3, .65 / 3}};

void checkFlow(FlowRamp ramp, const Matrix& expected) {
    for (std::size_t row = 0; row < 3; ++row) {
        std::vector<double> v(3, 0.0);
        v[row] = 1;
        const auto flow = attentionFlow(2, v, ramp, [](int layer, const std::vector<double>& u) {
            return times(u, layer == 0 ? first : second);
        });
        for (std::size_t j = 0; j < 3; ++j) CHECK(std::abs(flow[j] - expected[row][j]) < 2e-6);
    }
}

StageTokens prompt(const std::vector<std::pair<TokenKind, int>>& kinds) {
    StageTokens stage;
    stage.stage = "text";
    for (const auto& [kind, image] : kinds) {
        Token token;
        token.index = stage.size();
        token.kind = kind;
        token.image = image;
        stage.tokens.push_back(token);
    }
    return stage;
}

std::string spelled(const std::vector<Segment>& segments) {
    std::string text;
    for (const Segment& segment : segments) {
        text += (text.empty() ? "" : "; ") + segment.name + ":";
        for (const int token : segment.tokens) text += " " + std::to_string(token);
    }
    return text;
}

constexpr auto S = TokenKind::Special, T = TokenKind::Text, I = TokenKind::Image, G = TokenKind::Generated,
               R = TokenKind::Separator, P = TokenKind::Padding;

}  // namespace

TEST_CASE("attention flow gives the published example's numbers for every place of the regulariser") {
    checkFlow(FlowRamp::None, {{3.091111, 0, 0}, {1.303903, 1.787208, 0}, {.988144, .628772, 1.474194}});
    checkFlow(FlowRamp::Accumulated,
              {{.728642, 0, 0}, {.202285, 1.122093, 0}, {.141646, .362417, 1.474194}});
    checkFlow(FlowRamp::Layers, {{1.569383, 0, 0}, {.359494, 1.502463, 0}, {.280717, .401621, 1.474194}});
    checkFlow(FlowRamp::End, {{3.091111 / 3, 0, 0},
                              {1.303903 / 3, 1.787208 * 2 / 3, 0},
                              {.988144 / 3, .628772 * 2 / 3, 1.474194}});
}

TEST_CASE("a flow through layers that attend to nothing leaves the identity once a layer above the first") {
    const auto nothing = [](int, const std::vector<double>& v) { return std::vector<double>(v.size(), 0.0); };
    const auto flow = attentionFlow(4, {0, 1, 0}, FlowRamp::None, nothing);
    CHECK(flow == std::vector<double>{0, 3, 0});
}

TEST_CASE("segments of a prompt: start, system, pictures with their separators, question, answer") {
    CHECK(spelled(segmentsOf(prompt({{S, -1}, {T, -1}, {I, 0}, {R, 0}, {I, 0}, {T, -1}, {S, -1}, {G, -1}}))) ==
          "start: 0; system: 1; image 0: 2 3 4; question: 5 6; answer: 7");
    CHECK(spelled(segmentsOf(prompt({{I, 0}, {R, -1}, {I, 0}, {T, -1}, {I, 1}, {T, -1}, {P, -1}}))) ==
          "image 0: 0 1 2; text 0: 3; image 1: 4; question: 5; padding: 6");
    CHECK(spelled(segmentsOf(prompt({{S, -1}, {T, -1}, {T, -1}, {G, -1}, {G, -1}}))) ==
          "start: 0; prompt: 1 2; answer: 3 4");
    CHECK(spelled(segmentsOf(prompt({{S, -1}, {T, -1}, {G, -1}, {S, -1}, {G, -1}, {S, -1}}))) ==
          "start: 0; prompt: 1; answer: 2 3 4 5");
    CHECK(spelled(segmentsOf(prompt({{S, -1}, {TokenKind::Register, -1}, {I, 0}, {I, 0}}))) ==
          "prefix: 0 1; image 0: 2 3");
}

TEST_CASE("auto selects what wrote the answer, else the last token of a prompt, else the class token") {
    CHECK(automaticTokens(prompt({{S, -1}, {T, -1}, {G, -1}})) == "writing");
    CHECK(automaticTokens(prompt({{S, -1}, {T, -1}, {T, -1}, {P, -1}})) == "2");
    CHECK(automaticTokens(prompt({{S, -1}, {I, 0}})) == "cls");
}

TEST_CASE("an answer's token is written by the query at the token before it") {
    TokenMap map;
    map.stages.push_back(prompt({{S, -1}, {T, -1}, {G, -1}, {G, -1}, {S, -1}}));
    const std::string stage = map.stages.back().stage;
    CHECK(parseTokens("answer", map, stage) == std::vector<int>{2, 3});
    CHECK(parseTokens("writing", map, stage) == std::vector<int>{1, 2});
    CHECK(parseTokens("writing:0", map, stage) == std::vector<int>{1});
    CHECK(parseTokens("writing:1-last", map, stage) == std::vector<int>{2, 3});
    CHECK(parseTokens("0; writing:1", map, stage) == std::vector<int>{0, 2});
    CHECK(parseTokens("auto", map, stage) == std::vector<int>{1, 2});
    CHECK(namedTokens("writing", map, stage) == std::vector<int>{2, 3});
    CHECK(namedTokens("0; writing:1", map, stage) == std::vector<int>{0, 3});
    CHECK(namedTokens("answer", map, stage) == std::vector<int>{2, 3});
    CHECK((selectedTokens("2; writing:0", map, stage) == std::vector<SelectedToken>{{2, 1}, {2, 2}}));
    CHECK_THROWS_AS(parseTokens("writing:3", map, stage), Error);
    CHECK_THROWS_AS(parseTokens("writings", map, stage), Error);
    const std::vector<int> places{-1, -1, 0, 1, 2};
    for (int token = 0; token < 5; ++token)
        CHECK(answerPosition(map.stages.back(), token) == places[static_cast<std::size_t>(token)]);
    map.stages.back() = prompt({{S, -1}, {T, -1}});
    CHECK(answerPosition(map.stages.back(), 1) == -1);
    CHECK(answerPosition(map.stages.back(), 3) == 1);
    for (const char* text : {"writing", "writing:0"}) {
        std::string said;
        try {
            parseTokens(text, map, stage);
        } catch (const Error& error) {
            said = error.what();
        }
        CHECK_MESSAGE(said.find("no answer") != std::string::npos, text);
    }
}

TEST_CASE("titles say whether queries are tokens themselves or wrote the tokens that are named") {
    TokenMap map;
    map.stages.push_back(prompt({{S, -1}, {T, -1}, {G, -1}, {G, -1}}));
    StageTokens& tokens = map.stages.back();
    tokens.tokens[1].text = ":", tokens.tokens[2].text = " cyan", tokens.tokens[3].text = " star";
    const auto phrase = [&](const char* text) { return chosenQueries(text, map, tokens.stage).phrase(); };
    CHECK(phrase("auto") == "while writing the 2 answer tokens");
    CHECK(phrase("writing:0") == "while writing \"cyan\"");
    CHECK(phrase("writing:0-1") == "while writing 2 answer tokens");
    CHECK(phrase("answer") == "from the 2 answer tokens");
    CHECK(phrase("answer:0") == "from \"cyan\"");
    CHECK(phrase("1") == "from \":\"");
    CHECK(phrase("0; writing:1") == "from 2 tokens");
    CHECK(chosenQueries("writing:0", map, tokens.stage).tokens == std::vector<int>{1});
}

TEST_CASE("the answer's special tokens are left out of what looks by itself, and named") {
    TokenMap map;
    map.stages.push_back(prompt({{S, -1}, {T, -1}, {G, -1}, {G, -1}, {S, -1}}));
    map.stages.back().tokens.back().text = "</s>";
    const std::string stage = map.stages.back().stage;
    const QueryChoice choice = chosenQueries("auto", map, stage);
    CHECK(choice.tokens == std::vector<int>{1, 2});
    CHECK(choice.writing);
    CHECK(choice.name == "the 2 answer tokens (</s> left out)");
    map.stages.back().tokens[3].text = " ,";
    CHECK(chosenQueries("3", map, stage).name == "\",\"");
    CHECK(chosenQueries("4", map, stage).name == "</s>");
    map.stages.back().tokens.pop_back();
    CHECK(chosenQueries("auto", map, stage).name == "the 2 answer tokens");
}

TEST_CASE("segment masses add up to 1 and heads are ranked by their mass on the picture") {
    const ToyOptions options{.blocks = 3, .heads = 4, .keyValueHeads = 2, .tokens = 13};
    const auto model = makeToyModel(options);
    const auto input = makeToyInput(options);
    RunSpec spec;
    spec.capture.qkv = true;
    const auto trace = runModel(*model, *input, spec).trace;
    const auto masses = analyse("segment_mass", model, input);
    const Table& table = std::get<Table>(named(masses, "table").data);
    REQUIRE(table.rows.size() == 12);
    for (const auto& row : table.rows) {
        const int layer = static_cast<int>(std::get<double>(row[0])), head = static_cast<int>(std::get<double>(row[1]));
        const Array probs = trace->rows(layer, {0});
        CHECK(std::get<double>(row[2]) == doctest::Approx(static_cast<double>(probs.at(head, 0, 0))));
        CHECK(std::get<double>(row[2]) + std::get<double>(row[3]) == doctest::Approx(1));
    }
    const Table ranked = std::get<Table>(named(analyse("head_ranking", model, input), "table").data);
    REQUIRE(ranked.rows.size() == 12);
    double before = 1;
    for (const auto& row : ranked.rows) {
        const double mass = std::get<double>(row[3]);
        CHECK(mass <= before);
        before = mass;
        const Array probs = trace->rows(static_cast<int>(std::get<double>(row[1])), {0});
        CHECK(mass == doctest::Approx(1 - static_cast<double>(probs.at(
                                              static_cast<int>(std::get<double>(row[2])), 0, 0))));
    }
}

TEST_CASE("the flow of a run equals the flow of its explicit maps") {
    const ToyOptions options{.blocks = 3, .heads = 4, .keyValueHeads = 2, .tokens = 13, .causal = true};
    const auto model = makeToyModel(options);
    const auto input = makeToyInput(options);
    RunSpec spec;
    spec.capture.qkv = true;
    const auto trace = runModel(*model, *input, spec).trace;
    std::vector<Matrix> maps;
    for (int layer = 0; layer < 3; ++layer) {
        const Array probs = trace->probabilities(layer);
        Matrix map(13, std::vector<double>(13, 0.0));
        for (std::int64_t h = 0; h < 4; ++h) {
            double weight = 0;
            for (std::int64_t i = 0; i < 13; ++i) {
                float largest = 0;
                for (std::int64_t j = 0; j < 13; ++j) largest = std::max(largest, probs.at(h, i, j));
                weight += static_cast<double>(largest) / 13;
            }
            for (std::size_t i = 0; i < 13; ++i)
                for (std::size_t j = 0; j < 13; ++j)
                    map[i][j] += weight / 4 *
                                 static_cast<double>(probs.at(h, static_cast<std::int64_t>(i),
                                                              static_cast<std::int64_t>(j)));
        }
        maps.push_back(map);
    }
    std::vector<double> v(13, 0.0);
    v[7] = 1;
    const auto expected = attentionFlow(3, v, FlowRamp::Accumulated, [&](int layer, const std::vector<double>& u) {
        return times(u, maps[static_cast<std::size_t>(layer)]);
    });
    const auto findings = analyse("attention_flow", model, input, {{"queries", "7"}});
    const auto& scores = std::get<TokenScores>(named(findings, "scores").data).values;
    for (std::size_t j = 0; j < 13; ++j)
        CHECK(static_cast<double>(scores[j]) == doctest::Approx(expected[j]).epsilon(1e-5));
}
