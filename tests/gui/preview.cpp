// Shows the window on the scripted driver: gui_preview FILE.png [light|dark] [WxH] [view] [scene of widgets]
#include <QApplication>
#include <QTimer>

#include "gui/fake_driver.h"
#include "panels/error_banner.h"
#include "panels/edits_panel.h"
#include "panels/status_strip.h"
#include "theme/theme.h"
#include "views/view_area.h"
#include "window/main_window.h"
#include "window/screenshot.h"
#include <QListView>

using namespace fovea::gui;

int main(int argc, char** argv) {
    QApplication application(argc, argv);
    const QStringList args = application.arguments();
    applyTheme(application, themeFromName(args.value(2)));
    MainWindow window(std::make_unique<FakeDriver>(std::make_shared<FakeScript>()), "/tmp/preview.ini");
    Options options;
    options.screenshot = args.value(1);
    options.quit = true;
    const QStringList wh = args.value(3, "1360x860").split('x');
    window.resize(wh[0].toInt(), wh[1].toInt());
    window.show();
    window.controller().open(startingSession("demo:vit", "scene:1"), {});
    window.views().showView(args.value(4, "overlay"));
    const QString extra = args.value(5);
    if (extra == "edits" || extra == "all") {
        window.controller().change("x", {}, [](fovea::Session& s) {
            s.edits.push_back({"scale_keys", {{"factor", 0.25}}, true});
            s.edits.push_back({"mute_heads", {{"layers", "3-5"}}, false});
        });
        window.editsPanel().view().setCurrentIndex(window.editsPanel().view().model()->index(0, 0));
    }
    if (extra == "compare") window.actions().compare->setChecked(true);
    if (extra == "present") window.actions().present->setChecked(true);
    if (extra == "all") QTimer::singleShot(600, [&] { window.status().setBusy(true); window.status().setProgress(0.4, "layer 5 of 12");
        window.status().setReadOut("token 12   row 0 col 11   px 229,0-246,17   0.0123 (3rd)"); window.banner().showFailure({"It does not fit", "needs 6.0 GiB, 4.0 GiB are there", "choose fewer layers"}); });
    Screenshot shot(window, options);
    QTimer::singleShot(900, [&] { shot.start(); });
    return QApplication::exec();
}
