#pragma once

#include <QElapsedTimer>
#include <QStatusBar>
#include <QTimer>
#include <memory>

#include "compute/driver.h"

class QLabel;
class QProgressBar;
class QToolButton;

namespace fovea::gui {

/// The bottom line: read-out of the token under the pointer, device and types, memory, progress with Cancel.
class StatusStrip : public QStatusBar {
    Q_OBJECT

public:
    explicit StatusStrip(QWidget* parent = nullptr);
    void setReadOut(const QString& text);
    void setSpec(const ModelSpec& spec);
    void setOutlook(const MemoryOutlook& outlook);
    void setBusy(bool busy);
    void setProgress(double fraction, const QString& label);
    QString readOut() const;

Q_SIGNALS:
    void cancelled();

private:
    QLabel *m_readOut, *m_device, *m_memory, *m_remaining;
    QProgressBar* m_bar;
    QToolButton* m_cancel;
    QElapsedTimer m_since;
    QTimer m_reveal;  // short runs do not flash a bar
};

/// "4 s", "2 min 5 s" until the end, from the time that `fraction` took; empty while it is too early to say.
QString remainingTime(double fraction, qint64 elapsedMs);

}  // namespace fovea::gui
