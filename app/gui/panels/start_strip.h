#pragma once

#include <QFrame>

class QPushButton;

namespace fovea::gui {

/// What one can begin with: the bundled demos, each with what it shows, and an own model. Stands above the views until it
/// is closed or something else is opened.
class StartStrip : public QFrame {
    Q_OBJECT

public:
    explicit StartStrip(QWidget* parent = nullptr);

Q_SIGNALS:
    void demoWanted(const QString& reference);
    void modelWanted();

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    /// A push button does not ask its layout how large it is.
    void fitCards();
    QPushButton* card(const QString& icon, const QString& title, const QString& shows);
};

}  // namespace fovea::gui
