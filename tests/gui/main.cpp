#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <QApplication>
#include <QHashFunctions>
#include <QStandardPaths>

#include "theme/theme.h"

int main(int argc, char** argv) {
    if (!qEnvironmentVariableIsSet("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
    QHashSeed::setDeterministicGlobalSeed();  // as in the program: PDF bytes
    QStandardPaths::setTestModeEnabled(true);
    QApplication application(argc, argv);
    QApplication::setApplicationName("fovea-test");
    fovea::gui::applyTheme(application, fovea::gui::ThemeChoice::Light);
    doctest::Context context(argc, argv);
    return context.run();
}
