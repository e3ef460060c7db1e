// Adapters in the window: strength slider, switch, comparison, removal.
#include <QCheckBox>
#include <QDoubleSpinBox>
#include <QDir>
#include <QFile>
#include <QMimeData>
#include <QSlider>
#include <QToolButton>
#include <QUrl>

#include "gui/window_fixture.h"
#include "panels/adapters_panel.h"

namespace fovea::gui {

namespace {

struct AdapterFixture : WindowFixture {
    AdapterFixture() {
        openDemo();
        window->opener().openAdapter("/nowhere/lora-a");
        window->opener().openAdapter("/nowhere/lora-b");
        settle();
    }
    double strength(std::size_t at) const { return session().model.adapters.at(at).strength; }
};

}  // namespace

TEST_CASE_FIXTURE(AdapterFixture, "an adapter is added once, its slider goes from 0 to 2 in one undo step") {
    window->opener().openAdapter("/nowhere/lora-a");
    REQUIRE(session().model.adapters.size() == 2);
    CHECK(strength(0) == 1);
    auto* slider = find<QSlider>("adapter0_slider");
    const int before = window->controller().undoStack().count();
    const int paints = script->paints;
    slider->setValue(slider->maximum());
    CHECK(strength(0) == 2);
    slider->setValue(slider->maximum() / 4);
    CHECK(strength(0) == doctest::Approx(0.5));
    CHECK(window->controller().undoStack().count() == before + 1);
    CHECK(find<QDoubleSpinBox>("adapter0_strength")->value() == doctest::Approx(0.5));
    CHECK(strength(1) == 1);
    settle();
    CHECK(script->paints > paints);
    find<QDoubleSpinBox>("adapter1_strength")->setValue(-1.5);
    CHECK(strength(1) == -1.5);
    CHECK(find<QSlider>("adapter1_slider")->value() == 0);
    CHECK(sessionFromJson(toJson(session())).model == session().model);
}

TEST_CASE_FIXTURE(AdapterFixture, "switched off and on again, an adapter has the strength that it had") {
    find<QDoubleSpinBox>("adapter0_strength")->setValue(0.7);
    auto* on = find<QCheckBox>("adapter0_on");
    on->click();
    CHECK(strength(0) == 0);
    CHECK_FALSE(on->isChecked());
    on->click();
    CHECK(strength(0) == doctest::Approx(0.7));
}

TEST_CASE_FIXTURE(AdapterFixture, "on and off stand side by side in one click") {
    REQUIRE(window->actions().compareAdapters->isEnabled());
    window->actions().compareAdapters->trigger();
    settle();
    REQUIRE(window->controller().comparing());
    CHECK(window->controller().sessionA().model.adapters[0].strength == 1);
    CHECK(window->controller().sessionB()->model.adapters[0].strength == 0);
    CHECK(window->controller().sessionB()->model.adapters[1].strength == 0);
    CHECK(window->views().currentPage().view(Side::Difference).picture() != nullptr);
}

TEST_CASE_FIXTURE(AdapterFixture, "a removed adapter is gone until undo; another model has none") {
    find<QToolButton>("adapter0_remove")->click();
    REQUIRE(session().model.adapters.size() == 1);
    CHECK(session().model.adapters[0].folder == "/nowhere/lora-b");
    window->actions().undo->trigger();
    CHECK(session().model.adapters.size() == 2);
    window->opener().openModel("demo:other");
    CHECK(session().model.adapters.empty());
    CHECK_FALSE(window->actions().compareAdapters->isEnabled());
}

TEST_CASE_FIXTURE(WindowFixture, "a dropped adapter folder is an adapter, not a model") {
    openDemo();
    const QString lora = folder.filePath("lora");
    REQUIRE(QDir().mkpath(lora));
    QFile config(lora + "/adapter_config.json");
    REQUIRE(config.open(QIODevice::WriteOnly));
    config.write("{}");
    config.close();
    QMimeData dropped;
    dropped.setUrls({QUrl::fromLocalFile(lora)});
    window->opener().drop(dropped);
    CHECK(session().model.reference == "demo:vit");
    REQUIRE(session().model.adapters.size() == 1);
    CHECK(session().model.adapters[0].folder == lora.toStdString());
}

}  // namespace fovea::gui
