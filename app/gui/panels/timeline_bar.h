#pragma once

#include <QTimer>
#include <QWidget>

class QLabel;
class QSlider;
class QToolButton;

namespace fovea::gui {

/// One axis to step or play through: pictures, fixations, and what else comes in steps; hidden where there is
/// only one.
class TimelineBar : public QWidget {
    Q_OBJECT

public:
    /// `what` names a step ("Picture").
    explicit TimelineBar(const QString& what, QWidget* parent = nullptr);
    /// How many steps there are and which one is shown (-1: all together), without announcing it; one or none hides the
    /// bar.
    void setSteps(int count, int step);
    int step() const;
    bool playing() const;

Q_SIGNALS:
    void stepChosen(int step);

private:
    void setPlaying(bool on);
    void advance();
    void showStep();

    QString m_what;
    bool m_all = false;
    QToolButton* m_play;
    QLabel* m_label;
    QSlider* m_slider;
    QTimer m_next;
};

}  // namespace fovea::gui
