#include "panels/timeline_bar.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QSlider>
#include <QToolButton>
#include <algorithm>

#include "forms/described.h"
#include "theme/theme.h"

namespace fovea::gui {

namespace {

constexpr int stepMs = 600;

}  // namespace

TimelineBar::TimelineBar(const QString& what, QWidget* parent)
    : QWidget(parent),
      m_what(what),
      m_play(new QToolButton(this)),
      m_label(new QLabel(this)),
      m_slider(new QSlider(Qt::Horizontal, this)) {
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(10, 4, 10, 4);
    row->addWidget(m_play);
    row->addWidget(m_label);
    row->addWidget(m_slider, 1);
    m_play->setIcon(themedIcon("run"));
    m_play->setCheckable(true);
    m_play->setAutoRaise(true);
    m_play->setFocusPolicy(Qt::TabFocus);
    described(m_play, tr("Play: %1").arg(what), tr("Steps through all, one after the other; again to pause"));
    m_slider->setTickPosition(QSlider::TicksBelow);
    m_slider->setPageStep(1);
    described(m_slider, tr("Timeline: %1").arg(what), tr("Steps through the results of this session"));
    m_next.setInterval(stepMs);
    connect(&m_next, &QTimer::timeout, this, &TimelineBar::advance);
    connect(m_play, &QToolButton::toggled, this, &TimelineBar::setPlaying);
    connect(m_slider, &QSlider::valueChanged, this, [this](int step) {
        m_all = false;
        showStep();
        Q_EMIT stepChosen(step);
    });
    hide();
}

void TimelineBar::setSteps(int count, int step) {
    const QSignalBlocker quiet(m_slider);
    m_slider->setRange(0, std::max(0, count - 1));
    m_all = step < 0 && !playing();
    if (m_all) step = std::max(0, count - 1);
    // While it plays or is dragged, results of earlier steps come in late.
    if (!playing() && !m_slider->isSliderDown()) m_slider->setValue(step);
    showStep();
    setVisible(count > 1);
    if (count <= 1) m_play->setChecked(false);
}

int TimelineBar::step() const {
    return m_slider->value();
}

bool TimelineBar::playing() const {
    return m_next.isActive();
}

void TimelineBar::setPlaying(bool on) {
    m_play->setIcon(themedIcon(on ? "stop" : "run"));
    if (!on) return m_next.stop();
    m_next.start();
    if (m_slider->value() == m_slider->maximum()) m_slider->setValue(0);
}

void TimelineBar::advance() {
    if (m_slider->value() < m_slider->maximum()) m_slider->setValue(m_slider->value() + 1);
    if (m_slider->value() == m_slider->maximum()) m_play->setChecked(false);
}

void TimelineBar::showStep() {
    if (m_all) return m_label->setText(tr("%1: all %2").arg(m_what).arg(m_slider->maximum() + 1));
    m_label->setText(tr("%1 %2 of %3").arg(m_what).arg(m_slider->value() + 1).arg(m_slider->maximum() + 1));
}

}  // namespace fovea::gui
