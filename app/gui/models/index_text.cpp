#include "models/index_text.h"

#include <QStringList>
#include <algorithm>
#include <cmath>

#include "fovea/selection.h"

namespace fovea::gui {

QString indexText(const std::set<int>& indices, int count) {
    if (count > 0 && static_cast<int>(indices.size()) >= count) return "all";
    QStringList parts;
    for (auto it = indices.begin(); it != indices.end();) {
        const int begin = *it;
        int end = begin;
        while (++it != indices.end() && *it == end + 1) end = *it;
        parts << (begin == end ? QString::number(begin) : QString("%1-%2").arg(begin).arg(end));
    }
    return parts.join(',');
}

QString tokensText(const std::set<int>& tokens, const StageTokens* stage, bool looks) {
    if (!stage) return indexText(tokens);
    std::set<int> others, places;
    for (const int token : tokens) {
        const int place = answerPosition(*stage, token);
        if (place >= 0)
            places.insert(place);
        else
            others.insert(token);
    }
    QStringList parts;
    if (!others.empty()) parts << indexText(others);
    if (!places.empty()) parts << (looks ? "writing:" : "answer:") + indexText(places);
    return parts.join(';');
}

bool looksFrom(const ParamSpec& spec) {
    return spec.name == "queries" || spec.defaultValue == "auto";
}

QString percentText(double probability) {
    if (probability < 5e-5) return "< 0.01 %";
    return QString("%1 %").arg(100 * probability, 0, 'f', probability < 0.1 ? 2 : 1);
}

QString belowText(double limit) {
    const QString text = percentText(limit);
    return text.startsWith('<') ? text : "< " + text;
}

QString changeText(double before, double after) {
    const double by = std::round(1000 * (after - before)) / 10;
    if (by == 0) return "0.0 %";  // without the sign of what was rounded
    return QString("%1%2 %").arg(by > 0 ? "+" : "").arg(by, 0, 'f', 1);
}

QString changeText(const Likelihood& before, const Likelihood& after) {
    const bool hasBefore = before.value >= 0, hasAfter = after.value >= 0;
    if (hasBefore && hasAfter) return changeText(before.value, after.value);
    if (!hasBefore && !hasAfter) return {};
    // The unknown one lies between 0 and its limit.
    const QString atZero = changeText(std::max(0.0, before.value), std::max(0.0, after.value));
    const QString atLimit =
        changeText(hasBefore ? before.value : before.limit, hasAfter ? after.value : after.limit);
    if (atZero == atLimit) return atZero;
    if (hasBefore && after.limit < before.value) return "< " + atLimit;
    if (hasAfter && before.limit < after.value) return "> " + atLimit;
    return {};
}

}  // namespace fovea::gui
