#pragma once

#include <QPointF>
#include <QRectF>
#include <QTransform>
#include <optional>

#include "compute/box_query.h"
#include "fovea/viz/picture.h"

class QPainter;
class QPalette;

namespace fovea::gui {

/// The rubber band of a box query: draws it over a picture, and follows a drag that draws, moves or resizes it.
class BoxTool {
public:
    /// A part of the box that a drag takes hold of.
    enum class Grip { None, Inside, Left, Right, Top, Bottom, TopLeft, TopRight, BottomLeft, BottomRight };

    void setQuery(const std::optional<BoxQuery>& query) { m_query = query; }
    /// The box as it is shown: the one that is being dragged, else the one that is asked about.
    const std::optional<BoxQuery>& shown() const { return m_dragged ? m_dragged : m_query; }
    /// What is under a point of the widget; `map` takes picture units there.
    Grip gripAt(const viz::Picture& picture, const QTransform& map, const QPointF& point) const;
    /// Begins a drag; false where the point is on no original.
    bool begin(const viz::Picture& picture, const QTransform& map, const QPointF& point);
    void drag(const viz::Picture& picture, const QTransform& map, const QPointF& point);
    /// Ends it; nothing where no pixel was covered.
    std::optional<BoxQuery> end();
    void cancel() { m_dragged.reset(); }
    bool dragging() const { return m_area >= 0; }
    /// The box moved, or its lower right corner, by (dx, dy) steps of a 28th of the original, kept inside it.
    std::optional<BoxQuery> stepped(const viz::Picture& picture, int dx, int dy, bool resizes) const;
    void draw(QPainter& painter, const viz::Picture& picture, const QTransform& map, const QPalette& palette) const;

private:
    int m_area = -1;  ///< index into Picture::images of the original that is dragged on
    Grip m_grip = Grip::None;
    QPointF m_from;       ///< pixels
    QRectF m_before;      ///< pixels; of the box that is moved or resized
    std::optional<BoxQuery> m_query, m_dragged;
};

}  // namespace fovea::gui
