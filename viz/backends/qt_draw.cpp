#include "fovea/viz/qt_draw.h"

#include <QFontMetricsF>
#include <QImage>
#include <QPainter>
#include <QPainterPath>
#include <algorithm>
#include <cmath>

#include "picture/text_metrics.h"
#include "qt_font.h"

namespace fovea::viz {
namespace {

constexpr double arrowLength = 3.5;  // in line widths, at least two units
constexpr int crispPixels = 2;       // replicated cells per picture unit, so that viewers do not blur them
constexpr int maximumCrispSide = 4096;

QColor color(Color c) {
    return QColor(c.r, c.g, c.b, c.a);
}
QRectF rect(const Rect& r) {
    return QRectF(r.x, r.y, r.width, r.height);
}
QPointF point(Point p) {
    return QPointF(p.x, p.y);
}

/// Smaller by whole-area averaging: bilinear sampling alone would skip pixels of a large photograph.
QImage reduced(const QImage& image, const QRectF& device) {
    const int width = std::max(1, static_cast<int>(std::ceil(device.width())));
    const int height = std::max(1, static_cast<int>(std::ceil(device.height())));
    if (image.width() < 2 * width || image.height() < 2 * height) return image;
    return image.scaled(width, height, Qt::IgnoreAspectRatio, Qt::SmoothTransformation);
}

/// Cells repeated as blocks: PDF and SVG viewers interpolate small rasters whatever the file asks for.
QImage enlarged(const QImage& image, const Rect& target) {
    const auto factor = [](int cells, double size) {
        const int wanted = static_cast<int>(std::ceil(crispPixels * size / cells));
        return std::max(1, std::min(wanted, maximumCrispSide / std::max(1, cells)));
    };
    return image.scaled(image.width() * factor(image.width(), target.width),
                        image.height() * factor(image.height(), target.height), Qt::IgnoreAspectRatio,
                        Qt::FastTransformation);
}

class Replay {
public:
    explicit Replay(QPainter& painter) : m_painter(painter) {}

    void operator()(const RasterMark& mark) const {
        if (mark.width <= 0 || mark.height <= 0 || !mark.rgba || mark.target.empty()) return;
        if (mark.rgba->size() < static_cast<std::size_t>(mark.width) * mark.height * 4) return;
        QImage image(mark.rgba->data(), mark.width, mark.height, 4 * mark.width, QImage::Format_RGBA8888);
        const bool opaque = [&] {
            for (std::size_t i = 3; i < mark.rgba->size(); i += 4)
                if ((*mark.rgba)[i] != 255) return false;
            return true;
        }();
        if (opaque) image = image.convertToFormat(QImage::Format_RGB888);
        image = mark.smooth ? reduced(image, m_painter.deviceTransform().mapRect(rect(mark.target)))
                            : enlarged(image, mark.target);
        m_painter.setRenderHint(QPainter::SmoothPixmapTransform, mark.smooth);
        m_painter.setOpacity(std::clamp(mark.opacity, 0.0, 1.0));
        m_painter.drawImage(rect(mark.target), image);
        m_painter.setOpacity(1);
    }

    void operator()(const RectMark& mark) const {
        apply(mark.style, Qt::MiterJoin);
        if (mark.radius > 0)
            m_painter.drawRoundedRect(rect(mark.rect), mark.radius, mark.radius);
        else
            m_painter.drawRect(rect(mark.rect));
    }

    void operator()(const EllipseMark& mark) const {
        apply(mark.style, Qt::MiterJoin);
        m_painter.drawEllipse(rect(mark.rect));
    }

    void operator()(const LineMark& mark) const {
        if (mark.points.size() < 2) return;
        apply(mark.style, Qt::RoundJoin);
        QPainterPath path(point(mark.points.front()));
        for (std::size_t i = 1; i < mark.points.size(); ++i) path.lineTo(point(mark.points[i]));
        if (mark.closed) path.closeSubpath();
        if (!mark.closed) m_painter.setBrush(Qt::NoBrush);
        m_painter.drawPath(path);
        if (mark.arrow) drawArrow(mark.points[mark.points.size() - 2], mark.points.back(), mark.style);
    }

    void operator()(const CurveMark& mark) const {
        apply(mark.style, Qt::RoundJoin);
        m_painter.setBrush(Qt::NoBrush);
        QPainterPath path(point(mark.a));
        path.quadTo(point(mark.control), point(mark.b));
        m_painter.drawPath(path);
    }

    void operator()(const TextMark& mark) const {
        if (mark.text.empty() || mark.size <= 0) return;
        const QFont font = fontOf(mark);
        const double scale = mark.size / layoutPixels;
        const QString text = QString::fromUtf8(mark.text.data(), static_cast<qsizetype>(mark.text.size()));
        const double width = QFontMetricsF(font).horizontalAdvance(text);
        // Layouts know no installed fonts: what one draws wider than reckoned with would run over its neighbours.
        const Face face = mark.monospace ? Face::Mono : mark.bold ? Face::Bold : Face::Regular;
        const double room = textWidth(mark.text, layoutPixels, face);
        const double squeeze = room > 0 && width > room ? room / width : 1;
        const double shift = mark.anchor == Anchor::Start    ? 0
                             : mark.anchor == Anchor::Middle ? width / 2
                                                             : width;
        m_painter.save();
        m_painter.translate(point(mark.position));
        if (mark.rotation != 0) m_painter.rotate(mark.rotation);
        m_painter.scale(scale * squeeze, scale);
        m_painter.setFont(font);
        m_painter.setPen(color(mark.color));
        m_painter.drawText(QPointF(-shift, 0), text);
        m_painter.restore();
    }

private:
    void apply(const Style& style, Qt::PenJoinStyle join) const {
        QPen pen(Qt::NoPen);
        if (style.stroke.a != 0 && style.width > 0) {
            pen = QPen(color(style.stroke), style.width, Qt::SolidLine, Qt::FlatCap, join);
            if (style.dashed) pen.setDashPattern({4, 3});
        }
        m_painter.setPen(pen);
        m_painter.setBrush(style.fill.a ? QBrush(color(style.fill)) : QBrush(Qt::NoBrush));
    }

    void drawArrow(Point from, Point to, const Style& style) const {
        const double dx = to.x - from.x, dy = to.y - from.y, length = std::hypot(dx, dy);
        if (length == 0) return;
        const double size = arrowLength * std::max(style.width, 2.0);
        const QPointF along(dx / length * size, dy / length * size),
            across(-along.y() * 0.45, along.x() * 0.45);
        const QPointF tip = point(to);
        m_painter.setPen(Qt::NoPen);
        m_painter.setBrush(color(style.stroke));
        m_painter.drawPolygon(QPolygonF{tip, tip - along + across, tip - along - across});
    }

    QPainter& m_painter;
};

}  // namespace

void draw(QPainter& painter, const Layer& layer) {
    painter.save();
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing |
                           QPainter::LosslessImageRendering);
    for (const Mark& mark : layer.marks) std::visit(Replay(painter), mark);
    painter.restore();
}

void draw(QPainter& painter, const Picture& picture) {
    if (picture.background.a)
        painter.fillRect(QRectF(0, 0, picture.width, picture.height), color(picture.background));
    for (const Layer& layer : picture.layers) draw(painter, layer);
}

}  // namespace fovea::viz
