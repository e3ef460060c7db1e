#include "panels/token_flow.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>

#include "theme/theme.h"

namespace fovea::gui {

namespace {

constexpr int padding = 3, wordGap = 3, lineGap = 4, barHeight = 3;

}  // namespace

TokenFlow::TokenFlow(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    QSizePolicy policy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
}

void TokenFlow::setItems(std::vector<FlowItem> items) {
    if (items == m_items) return;
    m_items = std::move(items);
    if (m_hover >= static_cast<int>(m_items.size())) m_hover = -1;
    updateGeometry();
    update();
}

void TokenFlow::setChosen(int token) {
    if (token == m_chosen) return;
    m_chosen = token;
    update();
}

int TokenFlow::lineHeight() const {
    return fontMetrics().height() + 2 * padding + barHeight + lineGap;
}

std::vector<QRect> TokenFlow::layOut(int width) const {
    std::vector<QRect> places;
    const QFontMetrics metrics = fontMetrics();
    const int height = lineHeight() - lineGap;
    int x = 0, y = 0;
    for (const FlowItem& item : m_items) {
        const int wide = std::min(std::max(width, 1), metrics.horizontalAdvance(item.text) + 2 * padding);
        if (item.spaced && x > 0) x += wordGap;
        if (x > 0 && x + wide > width) {
            x = 0;
            y += lineHeight();
        }
        places.emplace_back(x, y, wide, height);
        x += wide;
    }
    return places;
}

QRect TokenFlow::placeOf(int item) const {
    const std::vector<QRect> places = layOut(width());
    return item >= 0 && item < static_cast<int>(places.size()) ? places[static_cast<std::size_t>(item)] : QRect();
}

int TokenFlow::heightForWidth(int width) const {
    const std::vector<QRect> places = layOut(width);
    return places.empty() ? lineHeight() : places.back().bottom() + 1 + lineGap;
}

QSize TokenFlow::sizeHint() const {
    return {400, heightForWidth(std::max(width(), 80))};
}

void TokenFlow::drawItem(QPainter& painter, const FlowItem& item, const QRect& place, bool hovered) const {
    const bool chosen = item.token >= 0 && item.token == m_chosen;
    const QColor accent = palette().color(QPalette::Highlight);
    painter.setPen(Qt::NoPen);
    const QRectF box = QRectF(place).adjusted(0.5, 0.5, -0.5, -0.5 - barHeight);
    const bool heated = item.heat.isValid();
    if (heated) {
        painter.setBrush(item.heat);
        painter.drawRoundedRect(box, 3, 3);
    }
    if (item.different && !chosen && !heated) {
        painter.setBrush(isDark(palette()) ? QColor(0x6b, 0x4a, 0x10) : QColor(0xff, 0xe3, 0xa8));
        painter.drawRoundedRect(box, 3, 3);
    }
    if (chosen && heated) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(accent, 2));
        painter.drawRoundedRect(box, 3, 3);
    } else if (chosen) {
        painter.setBrush(accent);
        painter.drawRoundedRect(box, 3, 3);
    } else if (hovered && item.token >= 0) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(accent);
        painter.drawRoundedRect(box, 3, 3);
    }
    if (item.level >= 0) {
        QColor bar = accent;
        bar.setAlpha(170);
        painter.fillRect(QRectF(place.left() + padding, place.bottom() - barHeight + 2,
                                std::max(1.0, (place.width() - 2 * padding) * std::min(1.0, item.level)), barHeight - 1),
                         bar);
    }
    const QColor onHeat = qGray(item.heat.rgb()) < 140 ? Qt::white : Qt::black;
    painter.setPen(heated       ? onHeat
                   : chosen     ? palette().color(QPalette::HighlightedText)
                   : item.quiet ? secondaryText(palette())
                                : palette().color(QPalette::WindowText));
    const QString text = fontMetrics().elidedText(item.text, Qt::ElideRight, place.width() - 2 * padding + 1);
    painter.drawText(box, Qt::AlignCenter, text);
}

void TokenFlow::paintEvent(QPaintEvent* event) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const std::vector<QRect> places = layOut(width());
    for (std::size_t i = 0; i < places.size(); ++i)
        if (places[i].intersects(event->rect()))
            drawItem(painter, m_items[i], places[i], static_cast<int>(i) == m_hover);
    if (hasFocus()) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(palette().color(QPalette::Highlight), 1, Qt::DotLine));
        painter.drawRect(rect().adjusted(0, 0, -1, -1));
    }
}

int TokenFlow::itemAt(const QPoint& place) const {
    const std::vector<QRect> places = layOut(width());
    for (std::size_t i = 0; i < places.size(); ++i)
        if (places[i].contains(place)) return static_cast<int>(i);
    return -1;
}

void TokenFlow::hover(int item) {
    if (item == m_hover) return;
    m_hover = item;
    const bool any = item >= 0 && item < static_cast<int>(m_items.size());
    setAccessibleDescription(any ? m_items[static_cast<std::size_t>(item)].tip : QString());
    update();
}

void TokenFlow::choose(int item) {
    if (item < 0 || item >= static_cast<int>(m_items.size())) return;
    if (const int token = m_items[static_cast<std::size_t>(item)].token; token >= 0) Q_EMIT tokenChosen(token);
}

void TokenFlow::mousePressEvent(QMouseEvent* event) {
    if (event->button() == Qt::LeftButton) choose(itemAt(event->position().toPoint()));
}

void TokenFlow::mouseMoveEvent(QMouseEvent* event) {
    hover(itemAt(event->position().toPoint()));
}

void TokenFlow::leaveEvent(QEvent*) {
    hover(-1);
}

void TokenFlow::step(int by) {
    const int last = static_cast<int>(m_items.size()) - 1;
    if (last >= 0) hover(std::clamp(m_hover + by, 0, last));
}

void TokenFlow::keyPressEvent(QKeyEvent* event) {
    switch (event->key()) {
        case Qt::Key_Left:
            return step(-1);
        case Qt::Key_Right:
            return step(1);
        case Qt::Key_Home:
            return step(-static_cast<int>(m_items.size()));
        case Qt::Key_End:
            return step(static_cast<int>(m_items.size()));
        case Qt::Key_Return:
        case Qt::Key_Enter:
            if (event->modifiers() == Qt::NoModifier) return choose(m_hover);
            break;
        default:
            break;
    }
    QWidget::keyPressEvent(event);
}

bool TokenFlow::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    const int item = itemAt(help->pos());
    const QString text = item >= 0 ? m_items[static_cast<std::size_t>(item)].tip : toolTip();
    QToolTip::showText(help->globalPos(), text, this, item >= 0 ? placeOf(item) : QRect());
    return true;
}

}  // namespace fovea::gui
