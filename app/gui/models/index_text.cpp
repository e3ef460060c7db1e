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

}  // namespace fovea::gui
