#include "models/index_text.h"

#include <QStringList>

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

QString percentText(double probability) {
    if (probability < 5e-5) return "< 0.01 %";
    return QString("%1 %").arg(100 * probability, 0, 'f', probability < 0.1 ? 2 : 1);
}

}  // namespace fovea::gui
