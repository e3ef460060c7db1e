#include "views/read_out.h"

#include <QObject>
#include <QStringList>
#include <cmath>
#include <set>

namespace fovea::gui {

namespace {

QString ordinal(int n) {
    const int tens = n % 100, ones = n % 10;
    if (tens < 11 || tens > 13) {
        if (ones == 1) return QString("%1st").arg(n);
        if (ones == 2) return QString("%1nd").arg(n);
        if (ones == 3) return QString("%1rd").arg(n);
    }
    return QString("%1th").arg(n);
}

const Token* tokenOf(const TokenMap* map, const viz::HitArea& hit) {
    if (!map || hit.token < 0) return nullptr;
    for (const StageTokens& stage : map->stages)
        if (stage.stage == hit.stage && hit.token < stage.size())
            return &stage.tokens[static_cast<std::size_t>(hit.token)];
    return nullptr;
}

int rankOf(const viz::Picture& picture, double value) {
    std::set<std::pair<double, int>> larger;
    for (const viz::HitArea& hit : picture.hits)
        if (hit.value > value) larger.insert({hit.value, hit.token});
    return static_cast<int>(larger.size()) + 1;
}

}  // namespace

QString readOut(const viz::Picture& picture, int index, const TokenMap* tokens) {
    if (index < 0 || index >= static_cast<int>(picture.hits.size())) return {};
    const viz::HitArea& hit = picture.hits[static_cast<std::size_t>(index)];
    // What is no part of the picture (a matrix cell, a fixation, a point of a curve) has its name and unit in
    // its label alone.
    if (hit.source.empty() && !hit.label.empty()) return QString::fromStdString(hit.label);
    QStringList parts;
    if (hit.token >= 0) parts << QObject::tr("token %1").arg(hit.token);
    const Token* token = tokenOf(tokens, hit);
    if (token && !token->text.empty()) parts << QString("\"%1\"").arg(QString::fromStdString(token->text));
    if (token && token->row >= 0) parts << QObject::tr("row %1 col %2").arg(token->row).arg(token->column);
    const Rect& rect = hit.source.empty() && token ? token->rect : hit.source;
    if (!rect.empty())
        parts << QObject::tr("px %1,%2-%3,%4")
                     .arg(std::lround(rect.x))
                     .arg(std::lround(rect.y))
                     .arg(std::lround(rect.x + rect.width))
                     .arg(std::lround(rect.y + rect.height));
    if (std::isfinite(hit.value)) {
        QString value = QString::number(hit.value, 'g', 4);
        if (hit.token >= 0) value += QString(" (%1)").arg(ordinal(rankOf(picture, hit.value)));
        parts << value;
    }
    return parts.join("   ");
}

}  // namespace fovea::gui
