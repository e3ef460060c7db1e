#include "panels/status_strip.h"

#include <QLabel>
#include <QProgressBar>
#include <QToolButton>
#include <cmath>

#include "forms/described.h"
#include "theme/theme.h"

namespace fovea::gui {

QString remainingTime(double fraction, qint64 elapsedMs) {
    if (fraction < 0.02 || elapsedMs < 500 || fraction >= 1) return {};
    const int seconds =
        static_cast<int>(std::ceil(static_cast<double>(elapsedMs) / 1000.0 * (1 - fraction) / fraction));
    if (seconds < 60) return QObject::tr("%1 s").arg(seconds);
    return QObject::tr("%1 min %2 s").arg(seconds / 60).arg(seconds % 60);
}

StatusStrip::StatusStrip(QWidget* parent)
    : QStatusBar(parent),
      m_readOut(new QLabel(this)),
      m_device(new QLabel(this)),
      m_memory(new QLabel(this)),
      m_remaining(new QLabel(this)),
      m_bar(new QProgressBar(this)),
      m_cancel(new QToolButton(this)) {
    m_readOut->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_readOut->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_readOut->setContentsMargins(6, 2, 6, 2);
    described(m_readOut, tr("Read-out"),
              tr("The token under the pointer: place, pixels of the original picture, raw value and rank"));
    described(m_device, tr("Device and types"),
              tr("Where the model runs, and its number type: stored -> compute"));
    described(m_memory, tr("Memory"),
              tr("Weights in memory, what the next run adds, and what this machine offers"));
    m_bar->setRange(0, 1000);
    m_bar->setTextVisible(false);
    m_bar->setFixedWidth(fontMetrics().horizontalAdvance('m') * 12);
    m_bar->setMaximumHeight(fontMetrics().height());
    described(m_bar, tr("Progress"), tr("How far the run is"));
    m_cancel->setIcon(themedIcon("close"));
    m_cancel->setAutoRaise(true);
    m_cancel->setFocusPolicy(Qt::TabFocus);
    described(m_cancel, tr("Cancel"), tr("Stops the run (Esc)"));
    addWidget(m_readOut, 1);
    for (QWidget* widget :
         {static_cast<QWidget*>(m_remaining), static_cast<QWidget*>(m_bar), static_cast<QWidget*>(m_cancel),
          static_cast<QWidget*>(m_device), static_cast<QWidget*>(m_memory)})
        addPermanentWidget(widget);
    for (QLabel* label : {m_device, m_memory, m_remaining}) label->setContentsMargins(6, 2, 6, 2);
    m_reveal.setSingleShot(true);
    m_reveal.setInterval(250);
    connect(&m_reveal, &QTimer::timeout, this, [this] {
        for (QWidget* w : {static_cast<QWidget*>(m_remaining), static_cast<QWidget*>(m_bar),
                           static_cast<QWidget*>(m_cancel)})
            w->show();
    });
    connect(m_cancel, &QToolButton::clicked, this, &StatusStrip::cancelled);
    setBusy(false);
}

void StatusStrip::setReadOut(const QString& text) {
    m_readOut->setText(text);
}

QString StatusStrip::readOut() const {
    return m_readOut->text();
}

void StatusStrip::setSpec(const ModelSpec& spec) {
    const QString stored = QString::fromStdString(spec.storedDtype),
                  compute = QString::fromStdString(spec.computeDtype);
    m_device->setText(QString("%1   %2").arg(QString::fromStdString(spec.device),
                                             stored == compute ? stored : stored + " → " + compute));
}

void StatusStrip::setOutlook(const MemoryOutlook& outlook) {
    const auto bytes = [](std::uint64_t n) { return QString::fromStdString(formatBytes(n)); };
    m_memory->setText(
        tr("%1 of %2, next run +%3")
            .arg(bytes(outlook.estimate.weights), bytes(outlook.available), bytes(outlook.estimate.run())));
}

void StatusStrip::setBusy(bool busy) {
    if (busy) {
        m_since.start();
        m_bar->setValue(0);
        m_remaining->clear();
        m_reveal.start();
        return;
    }
    m_reveal.stop();
    for (QWidget* w :
         {static_cast<QWidget*>(m_remaining), static_cast<QWidget*>(m_bar), static_cast<QWidget*>(m_cancel)})
        w->hide();
}

void StatusStrip::setProgress(double fraction, const QString& label) {
    m_bar->setValue(static_cast<int>(1000 * fraction));
    const QString left = m_since.isValid() ? remainingTime(fraction, m_since.elapsed()) : QString();
    m_remaining->setText(left.isEmpty() ? label : label.isEmpty() ? left : label + "   " + left);
}

}  // namespace fovea::gui
