#include "views/picture_view.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>

#include "theme/theme.h"
#include "views/hit_finder.h"

namespace fovea::gui {

namespace {

constexpr double smallestZoom = 0.02, largestZoom = 64;
constexpr double border = 12;  // around a fitted picture, logical pixels

}  // namespace

PictureView::PictureView(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    connect(&m_raster, &PictureRaster::ready, this, [this](const QImage& image, const QTransform& transform) {
        m_image = image;
        m_imageTransform = transform;
        update();
    });
}

void PictureView::setPicture(std::shared_ptr<const viz::Picture> picture) {
    const bool sameShape =
        m_picture && picture && m_picture->width == picture->width && m_picture->height == picture->height;
    m_picture = std::move(picture);
    m_message.clear();
    if (!m_picture || m_hover >= static_cast<int>(m_picture->hits.size())) m_hover = -1;
    setAccessibleDescription(m_picture ? QString::fromStdString(m_picture->title) : QString());
    if (m_fitted || !sameShape) fit();
    redraw();
}

void PictureView::setMessage(const QString& text) {
    setPicture(nullptr);
    m_message = text;
    setAccessibleDescription(text);
    update();
}

void PictureView::setSelectedTokens(const std::string& stage, const std::set<int>& tokens) {
    if (tokens == m_selected && stage == m_selectedStage) return;
    m_selectedStage = stage;
    m_selected = tokens;
    update();
}

void PictureView::linkToken(const std::string& stage, int token) {
    const int hit = m_picture && token >= 0 ? hitOfToken(*m_picture, stage, token) : -1;
    if (hit == m_hover) return;
    m_hover = hit;
    update();
}

void PictureView::setAsksBoxes(bool on) {
    m_asksBoxes = on;
    if (!on) m_box.cancel();
    update();
}

void PictureView::setBoxQuery(const std::optional<BoxQuery>& query) {
    m_box.setQuery(query);
    update();
}

QTransform PictureView::transform() const {
    return QTransform::fromScale(m_zoom, m_zoom) * QTransform::fromTranslate(m_offset.x(), m_offset.y());
}

void PictureView::fit() {
    m_fitted = true;
    place();
    redraw();
    Q_EMIT moved();
}

void PictureView::place() {
    if (!m_picture || m_picture->width <= 0 || m_picture->height <= 0) return;
    const double roomX = std::max(40.0, width() - 2 * border), roomY = std::max(40.0, height() - 2 * border);
    m_zoom = std::clamp(std::min(roomX / m_picture->width, roomY / m_picture->height), smallestZoom, 3.0);
    m_offset =
        QPointF((width() - m_picture->width * m_zoom) / 2, (height() - m_picture->height * m_zoom) / 2);
}

void PictureView::zoomBy(double factor, const QPointF& around) {
    const double zoom = std::clamp(m_zoom * factor, smallestZoom, largestZoom);
    m_offset = around - (around - m_offset) * (zoom / m_zoom);
    m_zoom = zoom;
    m_fitted = false;
    redraw();
    Q_EMIT moved();
}

void PictureView::follow(const PictureView& other) {
    if (other.m_fitted) {
        m_fitted = true;
        place();
    } else {
        m_fitted = false;
        m_zoom = other.m_zoom;
        m_offset = other.m_offset;
    }
    redraw();
}

void PictureView::redraw() {
    if (m_picture && width() > 0 && height() > 0)
        m_raster.request({m_picture, transform(), size(), devicePixelRatioF()});
    update();
}

void PictureView::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.fillRect(rect(), palette().color(QPalette::Midlight));
    if (!m_picture) {
        painter.setPen(secondaryText(palette()));
        painter.drawText(rect().adjusted(24, 24, -24, -24), Qt::AlignCenter | Qt::TextWordWrap, m_message);
        return;
    }
    painter.save();
    // Until the sharp image of the new place is there, the last one stands in, moved and stretched.
    painter.setTransform(m_imageTransform.inverted() * transform(), true);
    painter.setRenderHint(QPainter::SmoothPixmapTransform, m_imageTransform != transform());
    painter.drawImage(QPointF(0, 0), m_image);
    painter.restore();
    painter.setPen(palette().color(QPalette::Mid));
    painter.drawRect(transform().mapRect(QRectF(0, 0, m_picture->width, m_picture->height)));
    drawMarks(painter);
}

void PictureView::drawMarks(QPainter& painter) const {
    const QTransform map = transform();
    const auto outline = [&](const QRectF& area, const QColor& color, double width) {
        const QRectF box = map.mapRect(area);
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(QColor(0, 0, 0, 180), width + 2));
        painter.drawRect(box);
        painter.setPen(QPen(color, width));
        painter.drawRect(box);
    };
    for (const viz::HitArea& hit : m_picture->hits)
        if (hit.token >= 0 && (hit.stage.empty() || hit.stage == m_selectedStage) &&
            m_selected.count(hit.token))
            outline(toQt(hit.rect), QColor(0x35, 0xc7, 0xff), 1.6);
    if (m_hover >= 0) {
        const viz::HitArea& at = m_picture->hits[static_cast<std::size_t>(m_hover)];
        for (const viz::HitArea& hit : m_picture->hits)
            if (at.token >= 0 && hit.token == at.token && hit.stage == at.stage)
                outline(toQt(hit.rect), Qt::white, 1.6);
        outline(toQt(at.rect), Qt::white, 2);
    }
    if (m_asksBoxes) m_box.draw(painter, *m_picture, map, palette());
    if (m_boxing && !m_box.dragging()) {
        painter.setPen(QPen(palette().color(QPalette::Highlight), 1.5, Qt::DashLine));
        QColor fill = palette().color(QPalette::Highlight);
        fill.setAlpha(40);
        painter.setBrush(fill);
        painter.drawRect(QRectF(m_press, m_last).normalized());
    }
    if (hasFocus()) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(palette().color(QPalette::Highlight), 2));
        painter.drawRect(rect().adjusted(1, 1, -1, -1));
    }
}

void PictureView::resizeEvent(QResizeEvent*) {
    if (m_fitted) place();
    redraw();
}

void PictureView::wheelEvent(QWheelEvent* event) {
    zoomBy(std::pow(1.0015, event->angleDelta().y()), event->position());
    event->accept();
}

void PictureView::mousePressEvent(QMouseEvent* event) {
    m_press = m_last = event->position();
    m_panning = event->button() != Qt::LeftButton;
    if (m_asksBoxes && m_picture && !m_panning && !(event->modifiers() & Qt::ShiftModifier))
        m_box.begin(*m_picture, transform(), m_press);
}

void PictureView::mouseMoveEvent(QMouseEvent* event) {
    const QPointF at = event->position();
    if (m_panning && event->buttons() != Qt::NoButton) {
        m_offset += at - m_last;
        m_last = at;
        m_fitted = false;
        redraw();
        Q_EMIT moved();
        return;
    }
    m_last = at;
    if ((event->buttons() & Qt::LeftButton) && (m_boxing || (at - m_press).manhattanLength() > 6)) {
        m_boxing = true;
        if (m_box.dragging()) m_box.drag(*m_picture, transform(), at);
        update();
        return;
    }
    showCursor(at);
    if (m_picture) setHover(hitAt(*m_picture, transform().inverted().map(at)));
}

void PictureView::mouseReleaseEvent(QMouseEvent* event) {
    const QPointF at = event->position();
    if (event->button() == Qt::LeftButton && m_picture) {
        if (!m_boxing)
            choose(hitAt(*m_picture, transform().inverted().map(at)));
        else if (!m_box.dragging())
            chooseTokensIn(QRectF(m_press, at).normalized());
    }
    if (const auto query = m_box.end(); query && m_boxing) Q_EMIT boxChosen(*query);
    m_boxing = m_panning = false;
    update();
}

void PictureView::mouseDoubleClickEvent(QMouseEvent*) {
    fit();
}

void PictureView::chooseTokensIn(const QRectF& area) {
    std::string stage;
    const std::set<int> tokens = tokensIn(*m_picture, transform().inverted().mapRect(area), &stage);
    if (!tokens.empty()) Q_EMIT tokensChosen(QString::fromStdString(stage), tokens);
}

void PictureView::stepBox(int dx, int dy, bool resizes) {
    if (const auto query = m_picture ? m_box.stepped(*m_picture, dx, dy, resizes) : std::nullopt) Q_EMIT boxChosen(*query);
}

void PictureView::showCursor(const QPointF& at) {
    using Grip = BoxTool::Grip;
    const Grip grip = m_asksBoxes && m_picture ? m_box.gripAt(*m_picture, transform(), at) : Grip::None;
    switch (grip) {
        case Grip::None:
            return unsetCursor();
        case Grip::Inside:
            return setCursor(Qt::SizeAllCursor);
        case Grip::Left:
        case Grip::Right:
            return setCursor(Qt::SizeHorCursor);
        case Grip::Top:
        case Grip::Bottom:
            return setCursor(Qt::SizeVerCursor);
        case Grip::TopLeft:
        case Grip::BottomRight:
            return setCursor(Qt::SizeFDiagCursor);
        case Grip::TopRight:
        case Grip::BottomLeft:
            return setCursor(Qt::SizeBDiagCursor);
    }
}

void PictureView::keyPressEvent(QKeyEvent* event) {
    const bool box = m_asksBoxes && m_box.shown() && (event->modifiers() & Qt::ShiftModifier);
    const auto step = [&](int dx, int dy) {
        if (box)
            stepBox(dx, dy, event->modifiers() & Qt::ControlModifier);
        else if (m_picture)
            setHover(neighbourOf(*m_picture, m_hover, dx, dy));
    };
    switch (event->key()) {
        case Qt::Key_Left:
            return step(-1, 0);
        case Qt::Key_Right:
            return step(1, 0);
        case Qt::Key_Up:
            return step(0, -1);
        case Qt::Key_Down:
            return step(0, 1);
        case Qt::Key_Return:
        case Qt::Key_Enter:
            if (event->modifiers() == Qt::NoModifier) return choose(m_hover);
            break;
        case Qt::Key_Delete:
        case Qt::Key_Backspace:
            if (m_asksBoxes && m_box.shown()) {
                Q_EMIT boxRemoved();
                return;
            }
            break;
        case Qt::Key_Plus:
        case Qt::Key_Equal:
            return zoomBy(1.25);
        case Qt::Key_Minus:
            return zoomBy(0.8);
        case Qt::Key_0:
            return fit();
        default:
            break;
    }
    QWidget::keyPressEvent(event);
}

void PictureView::leaveEvent(QEvent*) {
    setHover(-1);
}

void PictureView::setHover(int hit) {
    if (hit == m_hover) return;
    m_hover = hit;
    update();
    Q_EMIT hovered(hit);
}

void PictureView::choose(int hit) {
    if (hit < 0) return;
    const viz::HitArea& at = m_picture->hits[static_cast<std::size_t>(hit)];
    if (at.token >= 0) Q_EMIT tokenChosen(QString::fromStdString(at.stage), at.token);
}

}  // namespace fovea::gui
