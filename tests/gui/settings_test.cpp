#include <QComboBox>
#include <QDockWidget>
#include <QLineEdit>
#include <QSpinBox>
#include <QStatusBar>

#include "forms/param_form.h"
#include "gui/window_fixture.h"
#include "window/options.h"

namespace fovea::gui {

TEST_CASE_FIXTURE(WindowFixture, "layout, view and recent models are kept; Reset layout brings panels back") {
    openDemo();
    window->opener().openModel("demo:vit");
    auto* edits = find<QDockWidget>("dock_edits");
    edits->hide();
    window->views().showView("head_grid");
    window->actions().live->setChecked(false);
    window->close();
    start();
    CHECK(find<QDockWidget>("dock_edits")->isHidden());
    CHECK_FALSE(find<QDockWidget>("dock_model")->isHidden());
    CHECK(window->views().currentView() == "head_grid");
    CHECK_FALSE(window->actions().live->isChecked());
    CHECK(AppSettings(settingsFile()).recent("model") == QStringList{"demo:vit"});
    window->actions().resetLayout->trigger();
    CHECK_FALSE(find<QDockWidget>("dock_edits")->isHidden());
}

TEST_CASE_FIXTURE(WindowFixture, "presenting hides the panels and enlarges type; leaving brings them back") {
    openDemo();
    const double before = QApplication::font().pointSizeF();
    window->actions().present->trigger();
    CHECK(find<QDockWidget>("dock_model")->isHidden());
    CHECK(QApplication::font().pointSizeF() > 1.4 * before);
    CHECK(window->statusBar()->font().pointSizeF() > 1.4 * before);
    CHECK(window->views().font().pointSizeF() > 1.4 * before);
    window->actions().present->trigger();
    CHECK_FALSE(find<QDockWidget>("dock_model")->isHidden());
    CHECK(QApplication::font().pointSizeF() == doctest::Approx(before));
}

TEST_CASE_FIXTURE(WindowFixture, "Escape leaves presenting before it stops a run") {
    openDemo();
    script->paintMs = 60000;
    window->actions().run->trigger();
    REQUIRE(QTest::qWaitFor([&] { return window->service().busy() && script->paints >= 2; }, 5000));
    window->actions().present->trigger();
    QTest::keyClick(window.get(), Qt::Key_Escape);
    CHECK_FALSE(window->actions().present->isChecked());
    CHECK_FALSE(find<QDockWidget>("dock_model")->isHidden());
    CHECK(window->service().busy());
    QTest::keyClick(window.get(), Qt::Key_Escape);
    settle();
    CHECK(script->stopped == 1);
}

TEST_CASE_FIXTURE(WindowFixture, "maps of a prompt's pictures are told apart where one is chosen") {
    openDemo();
    window->analysisPanel().setFindings({{"maps", "All pictures", "Sheet", 0},
                                         {"map", "Attention from token 3, picture 0", "Grid", 0},
                                         {"map 1", "Attention from token 3, picture 1", "Grid", 0},
                                         {"scores", "Attention from token 3", "TokenScores", 0}});
    QStringList labels;
    for (const QComboBox* box : window->analysisPanel().findChildren<QComboBox*>())
        if (box->findData("map 1") >= 0)
            for (int i = 0; i < box->count(); ++i) labels << box->itemText(i);
    REQUIRE(labels.size() == 4);
    CHECK(labels[0] == "All pictures");
    CHECK(labels[1] == "Picture 0 (Map)");
    CHECK(labels[2] == "Picture 1 (Map 1)");
    CHECK_FALSE(labels[3].contains("icture"));
}

TEST_CASE("without a display only screenshots can be made") {
    const QByteArray platform = qgetenv("QT_QPA_PLATFORM"), display = qgetenv("DISPLAY"),
                     wayland = qgetenv("WAYLAND_DISPLAY");
    for (const char* name : {"QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"}) qunsetenv(name);
    Options options;
    CHECK(lacksDisplay(options));
    options.screenshot = "window.png";
    CHECK_FALSE(lacksDisplay(options));
    options.screenshot.clear();
    qputenv("QT_QPA_PLATFORM", platform.isEmpty() ? "offscreen" : platform);
    CHECK_FALSE(lacksDisplay(options));
    if (platform.isEmpty()) qunsetenv("QT_QPA_PLATFORM");
    if (!display.isEmpty()) qputenv("DISPLAY", display);
    if (!wayland.isEmpty()) qputenv("WAYLAND_DISPLAY", wayland);
}

TEST_CASE("recent entries: newest first, no repeats, at most ten") {
    QTemporaryDir folder;
    AppSettings settings(folder.filePath("s.ini"));
    for (int i = 0; i < 12; ++i) settings.addRecent("image", QString("p%1").arg(i));
    settings.addRecent("image", "p5");
    const QStringList list = settings.recent("image");
    CHECK(list.size() == 10);
    CHECK(list.front() == "p5");
    CHECK(list.count("p5") == 1);
}

TEST_CASE("a form holds only what differs from the defaults, and keeps every kind of value") {
    const FakeDriver driver(std::make_shared<FakeScript>());
    for (const EntryInfo& entry : driver.offer().analyses) {
        ParamForm form;
        form.setEntry(&entry);
        CHECK(form.values() == nlohmann::json::object());
        form.setValues(checkedParams(entry, {}));
        CHECK(form.values() == nlohmann::json::object());
    }
    ParamForm form;
    form.setEntry(driver.offer().analysis("rollout"));
    form.setValues({{"fusion", "max"}, {"discard", 0.0125}, {"start_layer", 3}});
    CHECK(form.values() == nlohmann::json{{"fusion", "max"}, {"discard", 0.0125}, {"start_layer", 3}});
    QString changed;
    QObject::connect(&form, &ParamForm::edited, [&](const QString& name) { changed = name; });
    form.findChild<QSpinBox*>("param_start_layer")->setValue(4);
    CHECK(changed == "start_layer");
    form.setValues({});
    CHECK(form.values() == nlohmann::json::object());
}

TEST_CASE("a form says in words what a lowest number and an empty stage mean") {
    ParamSpec picture;
    picture.name = "picture";
    picture.type = ParamType::Integer;
    picture.defaultValue = -1;
    picture.help = "Which one.";
    picture.minimum = -1;
    picture.maximum = 9;
    picture.choices = {"all"};
    ParamSpec stage;
    stage.name = "stage";
    stage.type = ParamType::Text;
    stage.defaultValue = "";
    const EntryInfo entry{"analysis", "", "", {picture, stage}};
    ParamForm form;
    form.setEntry(&entry);
    const auto* box = form.findChild<QSpinBox*>("param_picture");
    CHECK(box->text() == "All");
    CHECK(box->toolTip().contains("default all"));
    FormContext context;
    auto spec = std::make_shared<ModelSpec>();
    spec->stages.resize(1);
    spec->stages[0].id = "vision";
    context.spec = spec;
    form.setContext(context);
    CHECK(form.findChild<QLineEdit*>("param_stage")->placeholderText() == "vision (usual)");
}

TEST_CASE("undo steps: equal sessions make none, other kinds of change do not merge") {
    SessionController controller;
    controller.open(startingSession("demo:vit", "scene:1"), {});
    controller.change("same", {}, [](Session&) {});
    CHECK(controller.undoStack().count() == 0);
    controller.change("opacity", "display/opacity", [](Session& s) { s.pictures[0].display.opacity = 0.5; });
    controller.change("opacity", "display/opacity", [](Session& s) { s.pictures[0].display.opacity = 0.4; });
    CHECK(controller.undoStack().count() == 1);
    controller.change("threshold", "display/threshold",
                      [](Session& s) { s.pictures[0].display.threshold = 0.1; });
    CHECK(controller.undoStack().count() == 2);
    QTest::qWait(1100);
    controller.change("threshold", "display/threshold",
                      [](Session& s) { s.pictures[0].display.threshold = 0.2; });
    CHECK(controller.undoStack().count() == 3);
    controller.undoStack().undo();
    controller.undoStack().undo();
    controller.undoStack().undo();
    CHECK(controller.session() == startingSession("demo:vit", "scene:1"));
}

}  // namespace fovea::gui
