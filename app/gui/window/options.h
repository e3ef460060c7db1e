#pragma once

#include <QSize>
#include <QString>
#include <QStringList>
#include <optional>

namespace fovea::gui {

class MainWindow;

/// The command line of `fovea`.
struct Options {
    QString document;  ///< session, exported picture or MODEL; empty: the demo
    QStringList images;
    QString screenshot, view, beside, settings, theme, prompt;
    QSize size;
    bool quit = false;
    std::optional<int> exitCode;  ///< set when the program is to end at once
};

/// Reads the arguments; prints help, version or what is wrong with them. Needs no display.
Options parseOptions(int argc, char** argv);

/// Lets screenshots be taken on machines without a display.
void useOffscreenWithoutDisplay(const Options& options);

/// Whether the program needs a display and there is none: Qt would abort.
bool lacksDisplay(const Options& options);

/// Whether the window has the views that the options name; says so when not.
bool knowsViews(const MainWindow& window, const Options& options);

/// Opens what the options name, or the demo model on a procedural scene.
void openAtStart(MainWindow& window, const Options& options);

}  // namespace fovea::gui
