#pragma once

#include <QFont>

#include "fovea/viz/picture.h"

namespace fovea::viz {

/// Pixel sizes of a QFont are integers: text is laid out large and scaled down, so that 9.5 units are 9.5 units.
constexpr int layoutPixels = 48;

/// The font that a text is laid out in.
inline QFont fontOf(const TextMark& mark) {
    QFont font(mark.monospace ? QStringLiteral("DejaVu Sans Mono") : QStringLiteral("DejaVu Sans"));
    font.setStyleHint(mark.monospace ? QFont::Monospace : QFont::SansSerif);
    font.setHintingPreference(QFont::PreferNoHinting);
    font.setBold(mark.bold);
    font.setPixelSize(layoutPixels);
    return font;
}

}  // namespace fovea::viz
