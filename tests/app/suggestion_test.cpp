#include "fovea/suggestion.h"

#include <doctest/doctest.h>

#include <functional>

#include "fovea/error.h"
#include "fovea/selection.h"
#include "fovea/viz/colormap.h"

using namespace fovea;

namespace {

const std::vector<std::string> known = {"attention_from", "attention_to", "head_statistics", "rollout", "sinks"};

std::string hintOf(const std::function<void()>& act) {
    try {
        act();
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::Usage);
        return error.hint();
    }
    FAIL("expected an error");
    return {};
}

}  // namespace

TEST_CASE("a mistyped word finds the one that was meant") {
    CHECK(closestWord("rolout", known) == "rollout");
    CHECK(closestWord("rollotu", known) == "rollout");
    CHECK(closestWord("ROLLOUT", known) == "rollout");
    CHECK(closestWord("attention-to", known) == "attention_to");
    CHECK(closestWord("sink", known) == "sinks");
    CHECK(closestWord("head", known) == "head_statistics");
    CHECK(closestWord("analyze", {"analyse", "render"}) == "analyse");
}

TEST_CASE("a word that is near nothing suggests nothing") {
    CHECK(closestWord("banana", known).empty());
    CHECK(closestWord("", known).empty());
    CHECK(closestWord("x", known).empty());
    CHECK(closestWord("z", {"a", "b"}).empty());
    CHECK(closestWord(std::string(100000, 'r'), known).empty());
    CHECK(closestWord("rollout", {}).empty());
    CHECK(suggestionHint("banana", {"a", "b"}) == "known: a, b");
    CHECK(suggestionHint("rolout", known).starts_with("did you mean \"rollout\"? known: attention_from, "));
}

TEST_CASE("hints name what a selection may be") {
    StageTokens stage;
    stage.stage = "vision";
    stage.gridRows = 2, stage.gridColumns = 3;
    for (int i = 0; i < 6; ++i) {
        Token token;
        token.index = i, token.kind = TokenKind::Image, token.image = 0;
        token.row = i / 3, token.column = i % 3;
        token.rect = {10.0 * token.column, 10.0 * token.row, 10, 10};
        stage.tokens.push_back(token);
    }
    const TokenMap map{{stage}, {}};
    CHECK(hintOf([] { parseIndices("12", 12, "layers"); }).starts_with("valid are 0 to 11, -1 to -12"));
    CHECK(hintOf([] { parseIndices("0", 0, "layers"); }) == "there is nothing to select from");
    CHECK(hintOf([&] { parseTokens("patchs", map, "vision"); }).starts_with("did you mean \"patches\"?"));
    CHECK(hintOf([&] { parseTokens("6", map, "vision"); }).starts_with("valid are 0 to 5"));
    CHECK(hintOf([&] { parseTokens("grid:2,0", map, "vision"); }).find("rows 0 to 1, columns 0 to 2") !=
          std::string::npos);
    CHECK(hintOf([&] { parseTokens("xy:31,1", map, "vision"); }) ==
          "tokens read x from 0 to 30 and y from 0 to 20");
    CHECK(hintOf([] { viz::colorMap("virdis"); }).starts_with("did you mean \"viridis\"?"));
}
