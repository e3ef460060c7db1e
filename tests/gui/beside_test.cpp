#include <QLabel>
#include <QTabBar>
#include <algorithm>

#include "gui/window_fixture.h"

namespace fovea::gui {

namespace {

bool says(ViewPage& page, const char* text) {
    const auto labels = page.findChildren<QLabel*>();
    return std::any_of(labels.begin(), labels.end(), [&](const QLabel* l) { return l->text().contains(text); });
}

}  // namespace

TEST_CASE_FIXTURE(WindowFixture, "two views stand side by side, each with what suits it") {
    openDemo();
    ViewArea& views = window->views();
    REQUIRE(views.showBeside("head_grid"));
    settle();
    CHECK(views.currentView() == "overlay");
    CHECK(views.besideView() == "head_grid");
    CHECK(views.currentPage().hasPicture());
    CHECK(views.page("head_grid").hasPicture());
    CHECK(views.page("head_grid").isVisible());
    CHECK(views.currentPage().isVisible());
    // The document stays that of the view in front.
    CHECK(window->presenter().document().analyses[0].params.empty());
    CHECK(window->presenter().document().views["beside"] == "head_grid");
    CHECK_FALSE(views.showBeside("nothing"));

    views.showBeside({});
    settle();
    CHECK(views.besideView().isEmpty());
    CHECK_FALSE(window->presenter().document().views.contains("beside"));
    CHECK(views.findChild<QTabBar*>()->count() == views.viewIds().size());
    for (int tab = 0; tab < views.findChild<QTabBar*>()->count(); ++tab)
        CHECK(views.findChild<QTabBar*>()->tabText(tab) == views.page(views.viewIds()[tab]).kind().title);
}

TEST_CASE_FIXTURE(WindowFixture, "a view beside draws its own analysis where it cannot draw the one in front") {
    openDemo();
    window->views().showBeside("tree");
    settle();
    CHECK(window->views().page("tree").hasPicture());
    CHECK(window->controller().analysis()->id == "attention_from");
    CHECK(window->views().currentView() == "overlay");
    window->views().showBeside("matrix");
    settle();
    CHECK_FALSE(window->views().page("matrix").hasPicture());
    CHECK(says(window->views().page("matrix"), "has no result"));
    CHECK(window->views().currentPage().hasPicture());
}

TEST_CASE_FIXTURE(WindowFixture, "bringing the view beside to the front exchanges the two") {
    openDemo();
    ViewArea& views = window->views();
    views.showBeside("tokens");
    settle();
    views.showView("tokens");
    settle();
    CHECK(views.currentView() == "tokens");
    CHECK(views.besideView() == "overlay");
    CHECK(views.page("overlay").hasPicture());
    CHECK(window->presenter().document().pictures[0].painter == "token_strip");
    // The view in front may be put beside: what stood there comes to the front.
    views.showBeside("tokens");
    settle();
    CHECK(views.currentView() == "overlay");
    CHECK(views.besideView() == "tokens");
}

TEST_CASE_FIXTURE(WindowFixture, "the token under the pointer is lit in both views") {
    openDemo();
    ViewArea& views = window->views();
    views.showBeside("tokens");
    settle();
    PictureView& other = views.page("tokens").view(Side::A);
    int lit = -1;
    QObject::connect(&views.currentPage(), &ViewPage::tokenHovered, &other,
                     [&](const std::string&, int token) { lit = token; });
    const auto dark = other.grab().toImage();
    QTest::mouseMove(&view(), placeOf(5));
    REQUIRE(QTest::qWaitFor([&] { return lit == 5; }, 2000));
    CHECK(other.grab().toImage() != dark);
}

TEST_CASE_FIXTURE(WindowFixture, "the view beside is kept in settings and in sessions") {
    openDemo();
    window->views().showBeside("head_grid");
    settle();
    const Session saved = window->presenter().document();
    window->close();
    start();
    CHECK(window->views().besideView() == "head_grid");
    window->views().showBeside({});
    const QString file = folder.filePath("s.fovea.json");
    writeSession(file.toStdString(), saved);
    window->opener().openSession(file);
    REQUIRE(QTest::qWaitFor([&] { return window->views().besideView() == "head_grid"; }, 5000));
    settle();
    CHECK(window->views().page("head_grid").hasPicture());
}

}  // namespace fovea::gui
