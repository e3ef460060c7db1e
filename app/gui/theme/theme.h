#pragma once

#include <QColor>
#include <QIcon>
#include <QPalette>
#include <QString>

class QApplication;

namespace fovea::gui {

enum class ThemeChoice { System, Light, Dark };

/// "system", "light", "dark"; anything else is System.
ThemeChoice themeFromName(const QString& name);
QString themeName(ThemeChoice choice);

/// Sets style, palette and style sheet of the program. System follows the palette that the platform gave at
/// start.
void applyTheme(QApplication& application, ThemeChoice choice);

/// Whether the palette is dark.
bool isDark(const QPalette& palette);

/// A quiet text colour that still has a contrast of at least 4.5 : 1 on the palette's window.
QColor secondaryText(const QPalette& palette);

/// Our icon `name` (resources/icons), drawn in the text colour of the palette in force when it is painted.
QIcon themedIcon(const QString& name);

}  // namespace fovea::gui
