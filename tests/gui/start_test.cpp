// Where to begin: the demos and an own model, above the views.
#include <QLabel>
#include <QPushButton>
#include <QToolButton>

#include "gui/window_fixture.h"
#include "panels/start_strip.h"
#include "window/options.h"

namespace fovea::gui {

TEST_CASE_FIXTURE(WindowFixture, "a window without a document offers both demos, each with what it shows") {
    openAtStart(*window, Options());
    settle();
    StartStrip& strip = window->startStrip();
    REQUIRE(strip.isVisibleTo(window.get()));
    CHECK(view().picture() != nullptr);  // the first demo is drawn already
    for (const QLabel* label : strip.findChildren<QLabel*>())
        if (!label->text().isEmpty() && !label->wordWrap())
            CHECK_MESSAGE(label->width() >= label->sizeHint().width(), label->text().toStdString());
    find<QPushButton>("start_vlm")->click();
    settle();
    CHECK(session().model.reference == "demo:vlm");
    CHECK_FALSE(session().input.prompt.empty());
    CHECK(strip.isVisibleTo(window.get()));
    find<QPushButton>("start_vit")->click();
    settle();
    CHECK(session().model.reference == "demo:vit");
    window->opener().openModel("/models/mine");
    CHECK_FALSE(strip.isVisibleTo(window.get()));
}

TEST_CASE_FIXTURE(WindowFixture, "what was named on the command line opens without the offer, which can be closed") {
    Options options;
    options.document = "demo:vit";
    openAtStart(*window, options);
    settle();
    CHECK_FALSE(window->startStrip().isVisibleTo(window.get()));
    openAtStart(*window, Options());
    window->startStrip().findChild<QToolButton*>()->click();
    CHECK_FALSE(window->startStrip().isVisibleTo(window.get()));
}

}  // namespace fovea::gui
