#include "theme/theme.h"

#include <QApplication>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QStyle>
#include <QStyleFactory>

namespace fovea::gui {

namespace {

QByteArray resource(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

/// The colours of resources/themes/NAME.json under the names of QPalette's roles.
QPalette paletteOf(const QString& name) {
    const QJsonObject colors = QJsonDocument::fromJson(resource(":/themes/" + name + ".json")).object();
    static const std::pair<const char*, QPalette::ColorRole> roles[] = {
        {"window", QPalette::Window},
        {"windowText", QPalette::WindowText},
        {"base", QPalette::Base},
        {"alternateBase", QPalette::AlternateBase},
        {"text", QPalette::Text},
        {"button", QPalette::Button},
        {"buttonText", QPalette::ButtonText},
        {"highlight", QPalette::Highlight},
        {"highlightedText", QPalette::HighlightedText},
        {"toolTipBase", QPalette::ToolTipBase},
        {"toolTipText", QPalette::ToolTipText},
        {"placeholderText", QPalette::PlaceholderText},
        {"link", QPalette::Link},
        {"mid", QPalette::Mid},
        {"midlight", QPalette::Midlight},
        {"dark", QPalette::Dark},
        {"light", QPalette::Light},
        {"shadow", QPalette::Shadow},
    };
    QPalette palette;
    for (const auto& [key, role] : roles) palette.setColor(role, QColor(colors.value(key).toString()));
    const QColor disabled(colors.value("disabledText").toString());
    for (const QPalette::ColorRole role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
        palette.setColor(QPalette::Disabled, role, disabled);
    palette.setColor(QPalette::Disabled, QPalette::Highlight, QColor(colors.value("mid").toString()));
    return palette;
}

}  // namespace

ThemeChoice themeFromName(const QString& name) {
    if (name == "light") return ThemeChoice::Light;
    if (name == "dark") return ThemeChoice::Dark;
    return ThemeChoice::System;
}

QString themeName(ThemeChoice choice) {
    switch (choice) {
        case ThemeChoice::Light:
            return "light";
        case ThemeChoice::Dark:
            return "dark";
        default:
            return "system";
    }
}

bool isDark(const QPalette& palette) {
    return palette.color(QPalette::Window).lightness() < palette.color(QPalette::WindowText).lightness();
}

QColor secondaryText(const QPalette& palette) {
    return isDark(palette) ? QColor(0xa3, 0xab, 0xb8) : QColor(0x58, 0x60, 0x6e);
}

void applyTheme(QApplication& application, ThemeChoice choice) {
    static const bool systemIsDark = isDark(application.palette());
    const bool dark = choice == ThemeChoice::Dark || (choice == ThemeChoice::System && systemIsDark);
    application.setStyle(QStyleFactory::create("Fusion"));
    const QPalette palette = paletteOf(dark ? "dark" : "light");
    application.setPalette(palette);
    QString sheet = QString::fromUtf8(resource(":/themes/style.qss"));
    sheet.replace("@line", palette.color(QPalette::Mid).name());
    sheet.replace("@window", palette.color(QPalette::Window).name());
    sheet.replace("@base", palette.color(QPalette::Base).name());
    sheet.replace("@accent", palette.color(QPalette::Highlight).name());
    sheet.replace("@text", palette.color(QPalette::WindowText).name());
    sheet.replace("@quiet", secondaryText(palette).name());
    application.setStyleSheet(sheet);
}

}  // namespace fovea::gui
