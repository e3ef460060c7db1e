#include "panels/timeline_bar.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QSlider>
#include <algorithm>

#include "forms/described.h"

namespace fovea::gui {

TimelineBar::TimelineBar(QWidget* parent)
    : QWidget(parent), m_label(new QLabel(this)), m_slider(new QSlider(Qt::Horizontal, this)) {
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(10, 4, 10, 4);
    row->addWidget(m_label);
    row->addWidget(m_slider, 1);
    m_slider->setTickPosition(QSlider::TicksBelow);
    m_slider->setPageStep(1);
    described(m_slider, tr("Timeline"), tr("Steps through the results of this session"));
    connect(m_slider, &QSlider::valueChanged, this, [this](int step) {
        m_label->setText(tr("%1 %2 of %3").arg(m_what).arg(step + 1).arg(m_slider->maximum() + 1));
        Q_EMIT stepChosen(step);
    });
    hide();
}

void TimelineBar::setSteps(const QString& what, int count) {
    const QSignalBlocker quiet(m_slider);
    m_what = what;
    m_slider->setRange(0, std::max(0, count - 1));
    m_label->setText(tr("%1 %2 of %3").arg(m_what).arg(m_slider->value() + 1).arg(count));
    setVisible(count > 1);
}

int TimelineBar::step() const {
    return m_slider->value();
}

}  // namespace fovea::gui
