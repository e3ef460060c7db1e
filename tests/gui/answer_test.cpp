#include <QLabel>
#include <QLineEdit>
#include <QSlider>
#include <QSpinBox>
#include <algorithm>
#include <cstdlib>

#include "gui/window_fixture.h"
#include "models/word_difference.h"
#include "panels/answer_panel.h"
#include "panels/candidates_view.h"
#include "panels/token_flow.h"
#include "window/prompt_box.h"

namespace fovea::gui {

namespace {

/// A window on a model that answers.
struct AnswerFixture : WindowFixture {
    AnswerFixture() {
        script->speaks = true;
        openDemo();
    }
    QLineEdit& line() { return window->promptBox().line(); }
    AnswerPanel& panel() { return window->answerPanel(); }
    void ask(const QString& prompt) {
        line().setFocus();
        line().clear();
        QTest::keyClicks(&line(), prompt);
        QTest::keyClick(&line(), Qt::Key_Return);
    }
    void askAndWait() {
        ask("What is this?");
        settle();
    }
    void click(TokenFlow& flow, int item) {
        QTest::mouseClick(&flow, Qt::LeftButton, {}, flow.placeOf(item).center());
        settle();
    }
    TimelineBar& steps() {
        for (TimelineBar* bar : window->findChildren<TimelineBar*>())
            if (bar->isVisibleTo(window.get())) return *bar;
        FAIL("no timeline is visible");
        std::abort();
    }
};

}  // namespace

TEST_CASE_FIXTURE(WindowFixture, "a model that only sees takes no prompt and shows no answer") {
    openDemo();
    CHECK_FALSE(window->promptBox().line().isEnabled());
    CHECK_FALSE(window->promptBox().tokens().isVisibleTo(window.get()));
    CHECK_FALSE(window->answerPanel().isVisibleTo(window.get()));
    window->controller().change("x", {}, [](Session& s) { s.input.prompt = "left over"; });
    CHECK(window->promptBox().line().isEnabled());
}

TEST_CASE_FIXTURE(AnswerFixture, "Return asks, with 32 tokens unless told otherwise; undo takes it back") {
    CHECK(line().isEnabled());
    CHECK(window->promptBox().tokens().isVisibleTo(window.get()));
    askAndWait();
    CHECK(session().input.prompt == "What is this?");
    CHECK(session().input.maxNewTokens == 32);
    CHECK(panel().text(Side::A) == "a red star");
    window->promptBox().tokens().setValue(2);
    settle();
    CHECK(session().input.maxNewTokens == 2);
    CHECK(panel().text(Side::A) == "a red");
    window->actions().undo->trigger();
    settle();
    CHECK(window->promptBox().tokens().value() == 32);
    CHECK(panel().text(Side::A) == "a red star");
    window->actions().undo->trigger();
    settle();
    CHECK(line().text().isEmpty());
    CHECK(session().input.maxNewTokens == 0);
    CHECK(panel().answer(Side::A).empty());
}

TEST_CASE_FIXTURE(AnswerFixture, "an empty prompt beside a picture is answered") {
    askAndWait();
    REQUIRE(!session().input.images.empty());
    ask("");
    settle();
    CHECK(session().input.prompt.empty());
    CHECK(session().input.maxNewTokens == 32);
    CHECK(panel().text(Side::A) == "a red star");
}

TEST_CASE_FIXTURE(AnswerFixture, "Return asks also while changes wait for Run") {
    window->actions().live->setChecked(false);
    askAndWait();
    CHECK(panel().text(Side::A) == "a red star");
}

TEST_CASE_FIXTURE(AnswerFixture, "an answer streams in, and Stop keeps what there is") {
    script->tokenMs = 150;
    ask("What is this?");
    REQUIRE(QTest::qWaitFor([&] { return panel().answer(Side::A).size() == 2; }, 20000));
    CHECK(window->service().busy());
    CHECK(script->told < 4);
    window->actions().stop->trigger();
    settle();
    CHECK(script->stopped == 1);
    CHECK(panel().text(Side::A) == "a red");
    const auto labels = panel().findChildren<QLabel*>();
    CHECK(std::any_of(labels.begin(), labels.end(), [](const QLabel* label) { return label->text() == "stopped"; }));
}

TEST_CASE_FIXTURE(AnswerFixture, "clicking an answer token shows where the model looked while writing it") {
    askAndWait();
    click(panel().flow(Side::A), 1);
    // By its place in the answer, so that it means the same after another prompt; the token before it wrote it.
    CHECK(session().analyses[0].params.at("queries") == "writing:1");
    CHECK(title() == "Attention from token " + std::to_string(fakePromptLength));
    CHECK(panel().flow(Side::A).chosen() == fakePromptLength + 1);
    CHECK(find<QLineEdit>("param_queries")->accessibleDescription().isEmpty());
    CHECK(steps().step() == 1);
    CHECK(panel().flow(Side::A).items()[1].tip.contains("75.0 %"));
    CHECK(panel().flow(Side::A).items()[1].tip.contains("green"));
    window->actions().undo->trigger();
    settle();
    // "cls", the scripted analysis' usual query, is the first token.
    CHECK(panel().flow(Side::A).chosen() == 0);
}

TEST_CASE_FIXTURE(AnswerFixture, "arrow keys and Enter choose a token, and the timeline walks through them") {
    askAndWait();
    TokenFlow& flow = panel().flow(Side::A);
    flow.setFocus();
    QTest::keyClick(&flow, Qt::Key_End);
    QTest::keyClick(&flow, Qt::Key_Left);
    QTest::keyClick(&flow, Qt::Key_Return);
    settle();
    CHECK(session().analyses[0].params.at("queries") == "writing:2");
    CHECK(flow.chosen() == fakePromptLength + 2);
    CHECK(steps().step() == 2);
    steps().findChild<QSlider*>()->setValue(0);
    settle();
    CHECK(flow.chosen() == fakePromptLength);
    CHECK(session().analyses[0].params.at("queries") == "writing:0");
    window->presenter().chooseTokens("text", {3, fakePromptLength, fakePromptLength + 1});
    settle();
    CHECK(session().analyses[0].params.at("queries") == "3;writing:0-1");
}

TEST_CASE_FIXTURE(AnswerFixture, "the prompt is shown with its picture as one block; its words can be chosen") {
    askAndWait();
    const auto& items = panel().prompt().items();
    REQUIRE(items.size() == 7);
    CHECK(items[2].text == "[image 14x14]");
    CHECK(items[2].token == -1);
    click(panel().prompt(), 4);
    CHECK(title() == "Attention from token 199");
    CHECK(session().analyses[0].params.at("queries") == "199");
}

TEST_CASE_FIXTURE(AnswerFixture, "a patch of the picture stands for its token in the text") {
    askAndWait();
    QTest::mouseClick(&view(), Qt::LeftButton, {}, placeOf(50));
    settle();
    CHECK(session().analyses[0].params.at("queries") == "51");
}

TEST_CASE_FIXTURE(AnswerFixture, "side by side, the words that differ are marked") {
    askAndWait();
    window->actions().compare->trigger();
    window->controller().change("x", {}, [](Session& s) {
        s.edits.push_back({"temperature", {{"temperature", 4.0}}, true});
    });
    settle();
    CHECK(panel().text(Side::B) == "a blue star");
    for (const Side side : {Side::A, Side::B}) {
        const auto& items = panel().flow(side).items();
        REQUIRE(items.size() == 4);
        CHECK_FALSE(items[0].different);
        CHECK(items[1].different);
        CHECK_FALSE(items[2].different);
    }
    window->actions().compare->trigger();
    settle();
    CHECK_FALSE(panel().flow(Side::A).items()[1].different);
}

TEST_CASE_FIXTURE(AnswerFixture, "a chosen answer token lists what could have come, on both sides and their change") {
    askAndWait();
    CHECK(panel().candidates().isHidden());
    click(panel().flow(Side::A), 1);
    REQUIRE(panel().candidates().isVisibleTo(window.get()));
    const auto& lines = panel().candidates().lines();
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].chosen[0]);
    CHECK(lines[0].probability[0] == 0.75);
    CHECK(lines[0].probability[1] < 0);
    CHECK(lines[1].text.contains("green"));
    window->actions().compare->trigger();
    window->controller().change("x", {}, [](Session& s) { s.edits.push_back({"temperature", {}, true}); });
    settle();
    REQUIRE(lines.size() == 3);
    CHECK(panel().candidates().note().isEmpty());
    const auto green = std::find_if(lines.begin(), lines.end(), [](const auto& l) { return l.text.contains("green"); });
    REQUIRE(green != lines.end());
    CHECK(green->probability == std::array<double, 2>{0.2, 0.2});
    CHECK(green->change() == "0.0 %");
    // Each side lists one word that the other does not.
    CHECK(lines[0].likelihood(0) == "75.0 %");
    CHECK(lines[0].likelihood(1) == "< 20.0 %");
    CHECK(lines[0].change() == "< -55.0 %");
    CHECK(lines[1].change() == "> +55.0 %");
    steps().findChild<QSlider*>()->setValue(2);
    settle();
    CHECK_FALSE(panel().candidates().note().isEmpty());  // " blue" and " red" came before
}

TEST_CASE_FIXTURE(AnswerFixture, "side by side, a word that is clicked is the query of both sides, in one step") {
    askAndWait();
    window->actions().compare->trigger();
    window->controller().change("x", {}, [](Session& s) { s.edits.push_back({"temperature", {}, true}); });
    settle();
    const auto queries = [](const Session& s) { return s.analyses[0].params.value("queries", ""); };
    const auto& controller = window->controller();
    std::string last;
    for (const Side side : {Side::A, Side::B}) {
        click(panel().flow(side), side == Side::A ? 1 : 2);
        CHECK(queries(controller.sessionA()) != last);
        last = queries(controller.sessionA());
        CHECK(queries(*controller.sessionB()) == last);
        window->controller().setActive(0);
    }
    CHECK(controller.sessionA().edits.empty());
    CHECK(controller.sessionB()->edits.size() == 1);
    window->actions().undo->trigger();
    settle();
    CHECK(queries(controller.sessionA()) != last);
    CHECK(queries(controller.sessionA()) == queries(*controller.sessionB()));
    // What the form says is about the side that is edited.
    window->controller().setActive(1);
    window->controller().change("x", {}, [](Session& s) { s.analyses[0].params["queries"] = "3"; });
    CHECK(queries(controller.sessionA()) != "3");
    CHECK(queries(*controller.sessionB()) == "3");
}

TEST_CASE("words differ as a whole, wherever they stand") {
    const auto [a, b] = differingTokens({"the", " st", "ar", " is", " red"}, {"the", " st", "one", " is", " not", " red"});
    CHECK(a == std::set<int>{1, 2});
    CHECK(b == std::set<int>{1, 2, 4});
    CHECK(differingTokens({}, {"x"}).second == std::set<int>{0});
}

}  // namespace fovea::gui
