#include "panels/legend_view.h"

#include <QPainter>
#include <QRegion>
#include <algorithm>

#include "forms/described.h"

namespace fovea::gui {

namespace {

constexpr int margin = 10, bar = 14, tickLength = 4;

/// The standing bar: one pixel wide, high values on top.
const viz::RasterMark* colorBar(const viz::Layer& legend) {
    for (const viz::Mark& mark : legend.marks)
        if (const auto* raster = std::get_if<viz::RasterMark>(&mark);
            raster && raster->width == 1 && raster->height > 16)
            return raster;
    return nullptr;
}

}  // namespace

LegendView::LegendView(QWidget* parent) : QWidget(parent) {
    described(this, tr("Colour bar"), tr("What the colours of the picture stand for"));
}

QSize LegendView::sizeHint() const {
    const int lines = 1 + (m_caption.isEmpty() ? 0 : 1);
    return {240, 2 * margin + bar + tickLength + lines * fontMetrics().height() + 2};
}

void LegendView::setPicture(const std::shared_ptr<const viz::Picture>& picture) {
    m_colors = {};
    m_ticks.clear();
    m_caption.clear();
    if (picture)
        for (const viz::Layer& layer : picture->layers)
            if (layer.name == "legend") read(layer);
    setVisible(!m_colors.isNull());
    updateGeometry();
    update();
}

void LegendView::read(const viz::Layer& legend) {
    const viz::RasterMark* raster = colorBar(legend);
    if (!raster) return;
    m_colors = QImage(raster->height, 1, QImage::Format_RGB32);
    for (int i = 0; i < raster->height; ++i) {
        const std::uint8_t* p = raster->rgba->data() + 4 * static_cast<std::size_t>(raster->height - 1 - i);
        // As on the picture's white page: where heat is transparent the bar is, too.
        const auto onWhite = [&](int channel) { return 255 - (255 - p[channel]) * p[3] / 255; };
        m_colors.setPixel(i, 0, qRgb(onWhite(0), onWhite(1), onWhite(2)));
    }
    const Rect& whole = raster->target;
    for (const viz::Mark& mark : legend.marks) {
        const auto* text = std::get_if<viz::TextMark>(&mark);
        if (!text) continue;
        if (text->rotation != 0) {
            m_caption << QString::fromStdString(text->text);
            continue;
        }
        // A tick's label stands beside its tick: its middle is about a third of its size above the baseline.
        const double at = (whole.y + whole.height - (text->position.y - 0.36 * text->size)) / whole.height;
        if (at > -0.05 && at < 1.05 && text->position.x > whole.x + whole.width)
            m_ticks.push_back({std::clamp(at, 0.0, 1.0), QString::fromStdString(text->text)});
    }
    std::sort(m_ticks.begin(), m_ticks.end(), [](const Tick& a, const Tick& b) { return a.at < b.at; });
    QStringList words;
    for (const Tick& tick : m_ticks) words << tick.text;
    setAccessibleDescription(tr("%1: %2").arg(m_caption.join(' '), words.join(", ")));
}

void LegendView::paintEvent(QPaintEvent*) {
    if (m_colors.isNull()) return;
    QPainter painter(this);
    const QFontMetrics metrics = fontMetrics();
    int top = margin;
    if (!m_caption.isEmpty()) {
        const QString caption = metrics.elidedText(m_caption.join(' '), Qt::ElideRight, width() - 2 * margin);
        painter.drawText(QRect(margin, top, width() - 2 * margin, metrics.height()),
                         Qt::AlignLeft | Qt::AlignVCenter, caption);
        top += metrics.height() + 2;
    }
    const QRect area(margin, top, width() - 2 * margin, bar);
    painter.setRenderHint(QPainter::SmoothPixmapTransform);
    painter.drawImage(area, m_colors);
    painter.setPen(palette().color(QPalette::Mid));
    painter.drawRect(area.adjusted(0, 0, -1, -1));
    painter.setPen(palette().color(QPalette::WindowText));
    // The ends first: they say what the bar spans; those between where there is room.
    std::vector<Tick> order = m_ticks;
    if (order.size() > 2) std::rotate(order.begin() + 1, order.end() - 1, order.end());
    QRegion taken;
    for (const Tick& tick : order) {
        const int x = area.left() + static_cast<int>(tick.at * (area.width() - 1));
        painter.drawLine(x, area.bottom() + 1, x, area.bottom() + tickLength);
        const int wide = metrics.horizontalAdvance(tick.text);
        const int left = std::clamp(x - wide / 2, margin, width() - margin - wide);
        const QRect place(left - 4, 0, wide + 8, 1);
        if (taken.intersects(place)) continue;
        taken += place;
        painter.drawText(left, area.bottom() + tickLength + metrics.ascent() + 1, tick.text);
    }
}

}  // namespace fovea::gui
