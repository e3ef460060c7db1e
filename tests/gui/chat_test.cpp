// A conversation in the window: further questions, earlier turns, and starting again.
#include <QLineEdit>
#include <QToolButton>

#include "gui/window_fixture.h"
#include "models/turn_tokens.h"
#include "panels/answer_panel.h"
#include "panels/conversation_view.h"
#include "panels/token_flow.h"
#include "window/prompt_box.h"

namespace fovea::gui {

namespace {

struct ChatFixture : AskedFixture {
    void askFurther(const QString& question) {
        panel().further().setFocus();
        QTest::keyClicks(&panel().further(), question);
        QTest::keyClick(&panel().further(), Qt::Key_Return);
        settle();
    }
};

StageTokens textStage(const std::vector<std::pair<TokenKind, std::string>>& tokens) {
    StageTokens stage;
    stage.stage = "text";
    for (const auto& [kind, text] : tokens) {
        Token token;
        token.index = stage.size();
        token.kind = kind;
        token.text = text;
        stage.tokens.push_back(token);
    }
    return stage;
}

}  // namespace

TEST_CASE_FIXTURE(ChatFixture, "a further question keeps the conversation in the session") {
    CHECK_FALSE(panel().conversation().isVisibleTo(window.get()));
    CHECK_FALSE(panel().startAgain().isVisibleTo(window.get()));
    window->controller().change("look", {}, [](Session& s) { s.analyses[0].params["queries"] = "204"; });
    askFurther("And its colour?");
    REQUIRE(session().input.turns.size() == 2);
    CHECK(session().input.turns[0] == ChatTurn{"user", "What is this?"});
    CHECK(session().input.turns[1] == ChatTurn{"assistant", "a red star"});
    CHECK(session().input.prompt == "And its colour?");
    CHECK(window->promptBox().line().text() == "And its colour?");
    CHECK_FALSE(session().analyses[0].params.contains("queries"));
    CHECK(panel().further().text().isEmpty());
    CHECK(panel().conversation().isVisibleTo(window.get()));
    CHECK(panel().text(Side::A) == "a red star");
    askFurther("Sure?");
    CHECK(session().input.turns.size() == 4);
    CHECK(panel().conversation().flows().size() == 4);
    CHECK(sessionFromJson(toJson(session())).input == session().input);
    CHECK_THROWS_AS(commandLineFor(session(), 0), Error);
    window->actions().undo->trigger();
    settle();
    CHECK(session().input.turns.size() == 2);
}

TEST_CASE_FIXTURE(ChatFixture, "starting again goes back to the first question, and can be undone") {
    askFurther("And its colour?");
    askFurther("Sure?");
    panel().startAgain().click();
    settle();
    CHECK(session().input.turns.empty());
    CHECK(session().input.prompt == "What is this?");
    CHECK_FALSE(panel().conversation().isVisibleTo(window.get()));
    window->actions().undo->trigger();
    settle();
    CHECK(session().input.turns.size() == 4);
}

TEST_CASE_FIXTURE(ChatFixture, "an empty question asks nothing, and there is none to ask without an answer") {
    askFurther("   ");
    CHECK(session().input.turns.empty());
    window->controller().change("x", {}, [](Session& s) { s.input.maxNewTokens = 0; });
    settle();
    CHECK_FALSE(panel().further().isVisibleTo(window.get()));
}

TEST_CASE_FIXTURE(ChatFixture, "tokens of earlier turns are clicked; a turn that was written otherwise is still read") {
    // The scripted prompt reads "USER:What is this?" whatever was asked.
    window->controller().change("x", {}, [](Session& s) {
        s.input.turns = {{"user", "What is"}};
        s.input.prompt = "this?";
    });
    settle();
    REQUIRE(panel().conversation().flows().size() == 1);
    TokenFlow& flow = *panel().conversation().flows()[0];
    REQUIRE(flow.items().size() == 5);
    CHECK(flow.items()[2].text == "[image 14x14]");
    CHECK(panel().prompt().items().size() == 2);
    QTest::mouseClick(&flow, Qt::LeftButton, {}, flow.placeOf(3).center());
    settle();
    CHECK(title() == "Attention from token 198");
    CHECK(flow.chosen() == 198);
    window->controller().change("x", {}, [](Session& s) { s.input.turns = {{"user", "Never written"}}; });
    settle();
    REQUIRE(panel().conversation().flows()[0]->items().size() == 1);
    CHECK(panel().conversation().flows()[0]->items()[0].text == "Never written");
    CHECK(panel().prompt().items().size() == 7);
}

TEST_CASE("tokens belong to turns by their text, with what the template puts before them") {
    const auto T = TokenKind::Text, S = TokenKind::Special;
    const StageTokens prompt = textStage({{S, "<s>"}, {T, "USER"}, {T, ": "}, {T, "Hi"}, {T, " there"}, {T, " BOT:"},
                                          {T, " Hi"}, {S, "</s>"}, {T, "USER: "}, {T, "Bye"}});
    const std::vector<ChatTurn> turns = {{"user", " Hi there "}, {"assistant", "Hi"}};
    CHECK(turnTokens(prompt, turns) == std::vector<std::pair<int, int>>{{0, 5}, {5, 7}});
    CHECK(turnTokens(prompt, {{"user", "Hello"}}).empty());
    CHECK(turnTokens(prompt, {}).empty());
}

}  // namespace fovea::gui
