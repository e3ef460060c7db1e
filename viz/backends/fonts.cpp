#include <QFont>
#include <QGlyphRun>
#include <QTextLayout>
#include <algorithm>
#include <set>

#include "fovea/viz/export.h"
#include "picture/text_metrics.h"
#include "picture/utf8.h"
#include "qt_font.h"

namespace fovea::viz {
namespace {

constexpr std::size_t mostNamed = 12;

/// Characters that other ones are modified by, and such that leave no ink.
bool drawsNothing(char32_t c) {
    return c <= 0x20 || (c >= 0x7F && c <= 0xA0) || (c >= 0x300 && c < 0x370) || (c >= 0x2000 && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202F) || (c >= 0x205F && c <= 0x206F) || c == 0x3000 || (c >= 0xFE00 && c <= 0xFE0F) ||
           c == 0xFEFF || (c >= 0x1F3FB && c <= 0x1F3FF) || c >= 0xE0000;
}

bool canDraw(char32_t c, const TextMark& mark) {
    QTextLayout layout(QString::fromUcs4(&c, 1), fontOf(mark));
    layout.beginLayout();
    layout.createLine();
    layout.endLayout();
    const QList<QGlyphRun> runs = layout.glyphRuns();
    return std::any_of(runs.begin(), runs.end(), [](const QGlyphRun& run) {
        const QList<quint32> glyphs = run.glyphIndexes();
        return std::any_of(glyphs.begin(), glyphs.end(), [](quint32 glyph) { return glyph != 0; });
    });
}

}  // namespace

std::string undrawnCharacters(const Picture& picture) {
    ensureGraphics();
    std::set<char32_t> seen;
    std::string undrawn;
    std::size_t count = 0;
    for (const Layer& layer : picture.layers)
        for (const Mark& mark : layer.marks) {
            const auto* text = std::get_if<TextMark>(&mark);
            if (!text) continue;
            for (std::size_t at = 0; at < text->text.size();) {
                const char32_t c = nextCodePoint(text->text, at);
                if (c < 0x7F || drawsNothing(c) || !seen.insert(c).second || canDraw(c, *text)) continue;
                if (++count <= mostNamed) appendUtf8(undrawn, c);
            }
        }
    if (count > mostNamed) undrawn += "\u2026";
    return undrawn;
}

}  // namespace fovea::viz
