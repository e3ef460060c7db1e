// A box dragged on the picture: which words read it.
#include <QApplication>
#include <QLabel>
#include <QLineEdit>
#include <QMouseEvent>
#include <QToolButton>

#include "gui/window_fixture.h"
#include "panels/answer_panel.h"
#include "panels/reader_bar.h"
#include "panels/token_flow.h"
#include "window/prompt_box.h"

namespace fovea::gui {

namespace {

struct BoxFixture : AskedFixture {
    /// A pixel of the picture in the view.
    QPoint at(double x, double y) {
        const viz::ImageArea& area = view().picture()->images.at(0);
        return view().transform().map(QPointF(area.target.x + x, area.target.y + y)).toPoint();
    }
    void drag(const QPoint& from, const QPoint& to, Qt::KeyboardModifiers keys = {}) {
        QTest::mousePress(&view(), Qt::LeftButton, keys, from);
        QTest::mouseMove(&view(), (from + to) / 2);
        QMouseEvent move(QEvent::MouseMove, to, view().mapToGlobal(to), Qt::NoButton, Qt::LeftButton, keys);
        QApplication::sendEvent(&view(), &move);
        QTest::mouseRelease(&view(), Qt::LeftButton, keys, to);
        settle();
    }
    Rect box() {
        const auto query = boxQuery(session());
        REQUIRE(query);
        return query->box;
    }
    static bool near(const Rect& a, const Rect& b) {
        return std::abs(a.x - b.x) < 3 && std::abs(a.y - b.y) < 3 && std::abs(a.width - b.width) < 4 &&
               std::abs(a.height - b.height) < 4;
    }
    const FlowItem& word(int i) { return panel().flow(Side::A).items().at(static_cast<std::size_t>(i)); }
};

}  // namespace

TEST_CASE_FIXTURE(BoxFixture, "a dragged box colours the words by how much they read it, and is in the document") {
    CHECK_FALSE(panel().readerBar().isVisibleTo(window.get()));
    CHECK_FALSE(word(0).heat.isValid());
    const nlohmann::json before = session().analyses[0].params;
    drag(at(60, 40), at(160, 120));
    CHECK(near(box(), {60, 40, 100, 80}));
    CHECK(session().analyses[0].params == before);
    CHECK(session().analyses.size() == 2);
    CHECK(panel().readerBar().isVisibleTo(window.get()));
    REQUIRE(word(0).heat.isValid());
    CHECK(word(0).heat != word(3).heat);
    CHECK(word(3).heat == panel().readerBar().colorOf(1e9));
    CHECK_FALSE(panel().prompt().items()[3].heat.isValid());
    const Session read = sessionFromJson(toJson(window->presenter().wholeDocument()));
    CHECK(boxQuery(read) == boxQuery(session()));
    CHECK(commandLineFor(window->presenter().document(), 0).find("box") == std::string::npos);
}

TEST_CASE_FIXTURE(BoxFixture, "a box is moved, resized, stepped by key and taken away, each an undo step") {
    drag(at(60, 40), at(160, 120));
    drag(at(110, 80), at(130, 100));
    CHECK(near(box(), {80, 60, 100, 80}));
    QTest::qWait(1100);  // another step than the last
    drag(at(180, 140), at(230, 200));
    CHECK(near(box(), {80, 60, 150, 140}));
    drag(at(150, 130), at(900, 900));
    CHECK(box().x + box().width <= 320);
    CHECK(box().y + box().height <= 240);
    const Rect kept = box();
    QTest::qWait(1100);
    view().setFocus();
    QTest::keyClick(&view(), Qt::Key_Left, Qt::ShiftModifier);
    settle();
    CHECK(box().x < kept.x);
    CHECK(box().width == kept.width);
    QTest::keyClick(&view(), Qt::Key_Up, Qt::ShiftModifier | Qt::ControlModifier);
    settle();
    CHECK(box().height < kept.height);
    CHECK(script->readers >= 5);
    QTest::keyClick(&view(), Qt::Key_Delete);
    settle();
    CHECK_FALSE(boxQuery(session()));
    CHECK(session().analyses.size() == 1);
    CHECK_FALSE(word(0).heat.isValid());
    CHECK_FALSE(panel().readerBar().isVisibleTo(window.get()));
    window->actions().undo->trigger();
    settle();
    CHECK(word(0).heat.isValid());
    window->actions().undo->trigger();
    settle();
    CHECK(box() == kept);
    panel().readerBar().findChild<QToolButton*>()->click();
    settle();
    CHECK_FALSE(boxQuery(session()));
}

TEST_CASE_FIXTURE(BoxFixture, "a click inside the box still chooses a token, Shift drags tokens") {
    drag(at(60, 40), at(160, 120));
    QTest::mouseClick(&view(), Qt::LeftButton, {}, placeOf(50));
    settle();
    CHECK(session().analyses[0].params.at("queries") == "51");
    const Rect kept = box();
    drag(at(100, 60), at(200, 130), Qt::ShiftModifier);
    CHECK(session().analyses[0].params.at("queries") != "51");
    CHECK(box() == kept);
}

TEST_CASE_FIXTURE(BoxFixture, "the form of the analysis and the box are one; the input view shows it, too") {
    drag(at(60, 40), at(160, 120));
    window->analysisPanel().choose("box_readers");
    settle();
    CHECK(find<QLineEdit>("param_box")->text().startsWith("60,40,"));
    window->controller().change("x", {}, [](Session& s) { s.analyses[1].params["box"] = "10,20,30,40"; });
    settle();
    CHECK(view().box().shown() == BoxQuery{0, {10, 20, 30, 40}});
    CHECK(window->views().page("input").view(Side::A).box().shown() == BoxQuery{0, {10, 20, 30, 40}});
    // A picture draws it now: only the box goes.
    window->presenter().askBox({});
    CHECK(session().analyses.size() == 2);
    CHECK_FALSE(boxQuery(session()));
}

TEST_CASE_FIXTURE(BoxFixture, "side by side, each answer has the colours of its own words on one scale") {
    drag(at(60, 40), at(160, 120));
    window->actions().compare->trigger();
    settle();
    window->presenter().askBox(BoxQuery{0, {0, 0, 200, 50}});
    settle();
    const auto last = [&](Side side) { return panel().flow(side).items().back().heat; };
    CHECK(last(Side::B) == panel().readerBar().colorOf(1e9));
    CHECK(last(Side::A) != last(Side::B));
}

TEST_CASE("a box reads back from what a person wrote, and nonsense is no box") {
    Session session;
    session.analyses.push_back({"box_readers", {{"box", " 1, 2,3 ,4"}, {"picture", 2}}});
    CHECK(boxQuery(session) == BoxQuery{2, {1, 2, 3, 4}});
    CHECK(boxText(*boxQuery(session), true) == "3 x 4 px at 1,2 of picture 2");
    for (const char* text : {"", "1,2,3", "a,b,c,d", "1,2,0,4"}) {
        session.analyses[0].params["box"] = text;
        CHECK_FALSE(boxQuery(session));
    }
}

}  // namespace fovea::gui
