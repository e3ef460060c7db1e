#pragma once

#include <QFrame>

#include "compute/compute_service.h"

class QLabel;

namespace fovea::gui {

/// A failure over the views: title, detail, hint. The last good picture stays below it.
class ErrorBanner : public QFrame {
    Q_OBJECT

public:
    explicit ErrorBanner(QWidget* parent = nullptr);
    void showFailure(const Failure& failure);
    QString text() const;

private:
    QLabel *m_title, *m_detail, *m_hint;
};

}  // namespace fovea::gui
