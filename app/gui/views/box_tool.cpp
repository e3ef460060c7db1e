#include "views/box_tool.h"

#include <QPainter>
#include <QPalette>
#include <algorithm>
#include <cmath>

#include "views/hit_finder.h"

namespace fovea::gui {

namespace {

constexpr double reach = 7;       // of a grip, logical pixels
constexpr double handleSide = 7;  // logical pixels
constexpr double steps = 28;      // of an original's side that arrow keys take

/// Pixels of an original to the widget.
QTransform toWidget(const viz::ImageArea& area, const QTransform& map) {
    return QTransform::fromTranslate(-area.source.x, -area.source.y) *
           QTransform::fromScale(area.target.width / std::max(1.0, area.source.width),
                                 area.target.height / std::max(1.0, area.source.height)) *
           QTransform::fromTranslate(area.target.x, area.target.y) * map;
}

const viz::ImageArea* areaOf(const viz::Picture& picture, int image) {
    for (const viz::ImageArea& area : picture.images)
        if (area.image == image) return &area;
    return nullptr;
}

QPointF inside(const viz::ImageArea& area, const QPointF& point) {
    return {std::clamp(point.x(), area.source.x, area.source.x + area.source.width),
            std::clamp(point.y(), area.source.y, area.source.y + area.source.height)};
}

bool holdsLeft(BoxTool::Grip grip) {
    return grip == BoxTool::Grip::Left || grip == BoxTool::Grip::TopLeft || grip == BoxTool::Grip::BottomLeft;
}
bool holdsRight(BoxTool::Grip grip) {
    return grip == BoxTool::Grip::Right || grip == BoxTool::Grip::TopRight || grip == BoxTool::Grip::BottomRight;
}
bool holdsTop(BoxTool::Grip grip) {
    return grip == BoxTool::Grip::Top || grip == BoxTool::Grip::TopLeft || grip == BoxTool::Grip::TopRight;
}
bool holdsBottom(BoxTool::Grip grip) {
    return grip == BoxTool::Grip::Bottom || grip == BoxTool::Grip::BottomLeft || grip == BoxTool::Grip::BottomRight;
}

/// Whole pixels, at least one each way.
Rect wholePixels(const QRectF& box) {
    const double left = std::round(box.left()), top = std::round(box.top());
    return {left, top, std::max(1.0, std::round(box.right()) - left), std::max(1.0, std::round(box.bottom()) - top)};
}

QRectF keptInside(QRectF box, const viz::ImageArea& area) {
    const QRectF whole = toQt(area.source);
    box.moveLeft(std::clamp(box.left(), whole.left(), std::max(whole.left(), whole.right() - box.width())));
    box.moveTop(std::clamp(box.top(), whole.top(), std::max(whole.top(), whole.bottom() - box.height())));
    return box.intersected(whole);
}

}  // namespace

BoxTool::Grip BoxTool::gripAt(const viz::Picture& picture, const QTransform& map, const QPointF& point) const {
    const auto& query = shown();
    const viz::ImageArea* area = query ? areaOf(picture, query->image) : nullptr;
    if (!area) return Grip::None;
    const QRectF box = toWidget(*area, map).mapRect(toQt(query->box));
    if (!box.adjusted(-reach, -reach, reach, reach).contains(point)) return Grip::None;
    // Of a small box the middle still moves it.
    const double x = std::min(reach, box.width() / 4), y = std::min(reach, box.height() / 4);
    const bool left = point.x() < box.left() + x, right = point.x() > box.right() - x;
    const bool top = point.y() < box.top() + y, bottom = point.y() > box.bottom() - y;
    if (left) return top ? Grip::TopLeft : bottom ? Grip::BottomLeft : Grip::Left;
    if (right) return top ? Grip::TopRight : bottom ? Grip::BottomRight : Grip::Right;
    return top ? Grip::Top : bottom ? Grip::Bottom : Grip::Inside;
}

bool BoxTool::begin(const viz::Picture& picture, const QTransform& map, const QPointF& point) {
    m_grip = gripAt(picture, map, point);
    m_area = -1;
    for (std::size_t i = 0; i < picture.images.size() && m_area < 0; ++i) {
        const viz::ImageArea& area = picture.images[i];
        const bool held = m_grip != Grip::None && area.image == shown()->image;
        if (held || (m_grip == Grip::None && map.mapRect(toQt(area.target)).contains(point)))
            m_area = static_cast<int>(i);
    }
    if (m_area < 0) return false;
    const viz::ImageArea& area = picture.images[static_cast<std::size_t>(m_area)];
    m_from = toWidget(area, map).inverted().map(point);
    m_before = m_grip == Grip::None ? QRectF() : toQt(shown()->box);
    return true;
}

void BoxTool::drag(const viz::Picture& picture, const QTransform& map, const QPointF& point) {
    if (m_area < 0 || m_area >= static_cast<int>(picture.images.size())) return;
    const viz::ImageArea& area = picture.images[static_cast<std::size_t>(m_area)];
    const QPointF at = toWidget(area, map).inverted().map(point);
    QRectF box = m_before;
    if (m_grip == Grip::None) {
        box = QRectF(inside(area, m_from), inside(area, at)).normalized();
    } else if (m_grip == Grip::Inside) {
        box = keptInside(box.translated(at - m_from), area);
    } else {
        const QPointF to = inside(area, at);
        if (holdsLeft(m_grip)) box.setLeft(to.x());
        if (holdsRight(m_grip)) box.setRight(to.x());
        if (holdsTop(m_grip)) box.setTop(to.y());
        if (holdsBottom(m_grip)) box.setBottom(to.y());
        box = box.normalized();
    }
    m_dragged = BoxQuery{area.image, wholePixels(box)};
}

std::optional<BoxQuery> BoxTool::end() {
    m_area = -1;
    std::optional<BoxQuery> done = std::move(m_dragged);
    m_dragged.reset();
    // What is drawn stays until the session comes back with it.
    if (done) m_query = done;
    return done;
}

std::optional<BoxQuery> BoxTool::stepped(const viz::Picture& picture, int dx, int dy, bool resizes) const {
    const viz::ImageArea* area = m_query ? areaOf(picture, m_query->image) : nullptr;
    if (!area) return {};
    const QPointF by(dx * std::max(1.0, area->source.width / steps), dy * std::max(1.0, area->source.height / steps));
    QRectF box = toQt(m_query->box);
    if (resizes)
        box.setSize({std::max(1.0, box.width() + by.x()), std::max(1.0, box.height() + by.y())});
    else
        box.translate(by);
    return BoxQuery{m_query->image, wholePixels(keptInside(box, *area))};
}

void BoxTool::draw(QPainter& painter, const viz::Picture& picture, const QTransform& map, const QPalette& palette) const {
    const auto& query = shown();
    const viz::ImageArea* area = query ? areaOf(picture, query->image) : nullptr;
    if (!area) return;
    const QRectF box = toWidget(*area, map).mapRect(toQt(query->box));
    const QColor accent = palette.color(QPalette::Highlight);
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(QColor(0, 0, 0, 190), 4));
    painter.drawRect(box);
    painter.setPen(QPen(QColor(0xff, 0xd8, 0x3d), 2));
    painter.drawRect(box);
    painter.setPen(QPen(QColor(0, 0, 0, 190), 1));
    painter.setBrush(accent);
    const double half = handleSide / 2;
    for (const double x : {box.left(), box.center().x(), box.right()})
        for (const double y : {box.top(), box.center().y(), box.bottom()})
            if (QPointF(x, y) != box.center()) painter.drawRect(QRectF(x - half, y - half, handleSide, handleSide));
}

}  // namespace fovea::gui
