#include "views/hit_finder.h"

#include <cmath>
#include <limits>

namespace fovea::gui {

QRectF toQt(const Rect& rect) {
    return {rect.x, rect.y, rect.width, rect.height};
}

int hitAt(const viz::Picture& picture, const QPointF& point) {
    int best = -1;
    double smallest = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < picture.hits.size(); ++i) {
        const Rect& rect = picture.hits[i].rect;
        const double area = rect.width * rect.height;
        if (area < smallest && rect.contains(point.x(), point.y())) {
            smallest = area;
            best = static_cast<int>(i);
        }
    }
    return best;
}

int hitOfToken(const viz::Picture& picture, const std::string& stage, int token) {
    for (std::size_t i = 0; i < picture.hits.size(); ++i)
        if (picture.hits[i].token == token && picture.hits[i].stage == stage) return static_cast<int>(i);
    return -1;
}

int neighbourOf(const viz::Picture& picture, int from, int dx, int dy) {
    if (picture.hits.empty()) return -1;
    if (from < 0 || from >= static_cast<int>(picture.hits.size())) return 0;
    const QPointF origin = toQt(picture.hits[static_cast<std::size_t>(from)].rect).center();
    int best = from;
    double nearest = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < picture.hits.size(); ++i) {
        const QPointF step = toQt(picture.hits[i].rect).center() - origin;
        const double along = step.x() * dx + step.y() * dy;
        const double across = std::abs(step.x() * dy) + std::abs(step.y() * dx);
        if (along <= 0.5 || across > along) continue;
        const double distance = along + 2 * across;
        if (distance < nearest) {
            nearest = distance;
            best = static_cast<int>(i);
        }
    }
    return best;
}

std::set<int> tokensIn(const viz::Picture& picture, const QRectF& area, std::string* stage) {
    std::set<int> tokens;
    std::string first;
    for (const viz::HitArea& hit : picture.hits) {
        if (hit.token < 0 || !area.contains(toQt(hit.rect).center())) continue;
        if (tokens.empty()) first = hit.stage;
        if (hit.stage == first) tokens.insert(hit.token);
    }
    if (stage) *stage = first;
    return tokens;
}

}  // namespace fovea::gui
