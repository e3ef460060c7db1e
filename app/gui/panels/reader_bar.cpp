#include "panels/reader_bar.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPixmap>
#include <QToolButton>
#include <algorithm>

#include "forms/described.h"
#include "theme/theme.h"

namespace fovea::gui {

ReaderBar::ReaderBar(QWidget* parent)
    : QWidget(parent),
      m_what(new QLabel(this)),
      m_low(new QLabel("0", this)),
      m_bar(new QLabel(this)),
      m_high(new QLabel(this)),
      m_remove(new QToolButton(this)) {
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(6);
    m_what->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_bar->setScaledContents(true);
    m_bar->setFixedSize(fontMetrics().horizontalAdvance('m') * 9, fontMetrics().height() * 2 / 3);
    m_remove->setIcon(themedIcon("close"));
    m_remove->setAutoRaise(true);
    m_remove->setFocusPolicy(Qt::TabFocus);
    described(m_what, tr("Box of the picture"), tr("The box whose readers the words' colours show"));
    described(m_bar, tr("Colours of words"), tr("Attention from a word to the box, summed over its tokens, mean over the heads "
                                                "and layers of the analysis \"Readers of a box\""));
    described(m_remove, tr("Take the box away"), tr("Words lose their colours (Delete in the view)"));
    row->addWidget(m_what, 1);
    for (QWidget* widget : {m_low, m_bar, m_high}) row->addWidget(widget);
    row->addWidget(m_remove);
    connect(m_remove, &QToolButton::clicked, this, &ReaderBar::removed);
    setLargest(0);
    hide();
}

void ReaderBar::setQuery(const std::optional<BoxQuery>& query, bool several) {
    setVisible(query.has_value());
    if (!query) return;
    const QString text = tr("Which words read the box of %1").arg(QString::fromStdString(boxText(*query, several)));
    m_text = text;
    showText();
    m_what->setToolTip(text + "\n" + tr("A word's colour is what went to the box from the query that wrote it."));
    m_what->setAccessibleDescription(text);
}

void ReaderBar::showText() {
    m_what->setText(fontMetrics().elidedText(m_text, Qt::ElideRight, m_what->width()));
}

void ReaderBar::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    layout()->activate();
    showText();
}

void ReaderBar::setColors(const std::vector<viz::Color>& samples) {
    m_samples = samples;
    QImage strip(std::max<int>(1, static_cast<int>(samples.size())), 1, QImage::Format_RGB32);
    for (std::size_t i = 0; i < samples.size(); ++i)
        strip.setPixel(static_cast<int>(i), 0, qRgb(samples[i].r, samples[i].g, samples[i].b));
    m_bar->setPixmap(QPixmap::fromImage(strip));
}

void ReaderBar::setLargest(double largest) {
    m_largest = largest;
    const bool known = largest > 0 && !m_samples.empty();
    for (QWidget* widget : {m_low, m_bar}) widget->setVisible(known);
    m_high->setText(known ? tr("%1 probability").arg(largest, 0, 'g', 3) : tr("computing ..."));
    layout()->activate();
    showText();
}

QColor ReaderBar::colorOf(double mass) const {
    if (m_samples.empty() || m_largest <= 0 || !(mass >= 0)) return {};
    const double last = static_cast<double>(m_samples.size() - 1);
    const viz::Color c = m_samples[static_cast<std::size_t>(std::clamp(mass / m_largest, 0.0, 1.0) * last)];
    return {c.r, c.g, c.b};
}

}  // namespace fovea::gui
