#pragma once

#include <doctest/doctest.h>

#include <QTemporaryDir>
#include <QTest>

#include "gui/fake_driver.h"
#include "panels/analysis_panel.h"
#include "panels/edits_panel.h"
#include "panels/error_banner.h"
#include "panels/model_panel.h"
#include "panels/status_strip.h"
#include "panels/timeline_bar.h"
#include "views/picture_view.h"
#include "views/view_area.h"
#include "views/view_page.h"
#include "window/main_window.h"

template <>
struct doctest::StringMaker<QString> {
    static doctest::String convert(const QString& text) { return text.toStdString().c_str(); }
};

namespace fovea::gui {

/// A shown window on a scripted driver, with settings of its own.
struct WindowFixture {
    QTemporaryDir folder;
    std::shared_ptr<FakeScript> script = std::make_shared<FakeScript>();
    std::unique_ptr<MainWindow> window;

    WindowFixture() { start(); }
    void start() {
        window.reset();
        window = std::make_unique<MainWindow>(std::make_unique<FakeDriver>(script), settingsFile());
        window->askUnsaved = [] { return MainWindow::Unsaved::Discard; };
        window->resize(1360, 860);
        window->show();
    }
    QString settingsFile() const { return folder.filePath("settings.ini"); }
    void openDemo() {
        window->controller().open(startingSession("demo:vit", "scene:1"), {});
        settle();
    }
    void settle() {
        REQUIRE(QTest::qWaitFor([&] { return window->presenter().settled(); }, 20000));
    }
    PictureView& view() { return window->views().currentPage().view(Side::A); }
    const Session& session() const { return window->controller().session(); }
    std::string title() { return view().picture() ? view().picture()->title : ""; }
    /// Where the middle of a token's hit area is in the view.
    QPoint placeOf(int token) {
        for (const viz::HitArea& hit : view().picture()->hits)
            if (hit.token == token)
                return view()
                    .transform()
                    .map(QPointF(hit.rect.x + hit.rect.width / 2, hit.rect.y + hit.rect.height / 2))
                    .toPoint();
        FAIL("no hit area for the token");
        return {};
    }
    template <typename Widget>
    Widget* find(const char* name) {
        Widget* widget = window->findChild<Widget*>(name);
        REQUIRE_MESSAGE(widget, name);
        return widget;
    }
};

/// A window on a model that was asked, and has answered.
struct AskedFixture : WindowFixture {
    AskedFixture() {
        script->speaks = true;
        openDemo();
        window->controller().change("ask", {}, [](Session& s) {
            s.input.prompt = "What is this?";
            s.input.maxNewTokens = 8;
        });
        settle();
    }
    AnswerPanel& panel() { return window->answerPanel(); }
};

}  // namespace fovea::gui
