#include "models/index_text.h"

#include <QStringList>

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

}  // namespace fovea::gui
