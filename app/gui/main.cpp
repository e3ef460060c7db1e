#include <QApplication>
#include <QHashFunctions>
#include <QTimer>
#include <cstdio>

#include "compute/engine_driver.h"
#include "theme/theme.h"
#include "views/view_area.h"
#include "window/main_window.h"
#include "window/options.h"
#include "window/screenshot.h"

using namespace fovea::gui;

namespace {

/// The offscreen platform cannot keep windows from becoming too small, and says so for every window.
void quietMessages(QtMsgType, const QMessageLogContext&, const QString& text) {
    if (!text.contains("propagateSizeHints")) std::fprintf(stderr, "%s\n", qPrintable(text));
}

}  // namespace

int main(int argc, char** argv) {
    QHashSeed::setDeterministicGlobalSeed();  // the order of fonts in a PDF follows a hash table
    const Options options = parseOptions(argc, argv);
    if (options.exitCode) return *options.exitCode;
    if (lacksDisplay(options)) {
        std::fprintf(stderr,
                     "error: expected a display (DISPLAY or WAYLAND_DISPLAY), found none\n"
                     "hint: fovea-cli demo draws the demo to files; fovea --screenshot FILE.png --quit draws "
                     "the window\n");
        return 3;
    }
    useOffscreenWithoutDisplay(options);
    qInstallMessageHandler(quietMessages);
    QApplication application(argc, argv);
    QApplication::setApplicationName("fovea");
    QApplication::setOrganizationName("fovea");
    QApplication::setApplicationVersion(FOVEA_VERSION);

    try {
        const AppSettings settings(options.settings);
        applyTheme(application,
                   themeFromName(options.theme.isEmpty() ? settings.value("window/theme").toString()
                                                         : options.theme));
        MainWindow window(std::make_unique<EngineDriver>(), options.settings);
        if (!knowsViews(window, options)) return static_cast<int>(fovea::ErrorCode::Usage);
        if (options.size.isValid()) window.resize(options.size);
        window.show();
        openAtStart(window, options);
        Screenshot screenshot(window, options);
        screenshot.start();
        return QApplication::exec();
    } catch (const fovea::Error& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        if (!error.hint().empty()) std::fprintf(stderr, "hint: %s\n", error.hint().c_str());
        return static_cast<int>(error.code());
    }
}
