#pragma once

#include <QWidget>

class QLabel;
class QSlider;

namespace fovea::gui {

/// The axis of time of runs with several steps (answer token, denoising step, frame), or of several pictures;
/// hidden where there is only one.
class TimelineBar : public QWidget {
    Q_OBJECT

public:
    explicit TimelineBar(QWidget* parent = nullptr);
    /// Names what is stepped through ("Picture") and how many there are; one or none hides the bar.
    void setSteps(const QString& what, int count);
    int step() const;

Q_SIGNALS:
    void stepChosen(int step);

private:
    QLabel* m_label;
    QSlider* m_slider;
    QString m_what;
};

}  // namespace fovea::gui
