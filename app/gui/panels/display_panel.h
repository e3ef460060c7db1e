#pragma once

#include <QWidget>

#include "compute/offer.h"
#include "window/session_controller.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QFormLayout;
class QSlider;
class QLabel;

namespace fovea::gui {

/// How values become colours: scale, range, colour map, opacity, threshold, filter, sinks, grid, recipe line.
class DisplayPanel : public QWidget {
    Q_OBJECT

public:
    DisplayPanel(SessionController& controller, const Offer& offer, QWidget* parent = nullptr);
    /// The range of the values in the picture that is shown: what a fixed scale starts from.
    void setSeenRange(double minimum, double maximum) { m_seen = {minimum, maximum}; }

private:
    QComboBox* choice(QFormLayout* form, const QString& label, const QString& tip, const QString& key,
                      const std::vector<std::pair<QString, QString>>& items,
                      std::string DisplayOptions::*member);
    QSlider* percent(QFormLayout* form, const QString& label, const QString& tip, const QString& key,
                     double DisplayOptions::*member);
    QDoubleSpinBox* bound(const QString& name, const QString& tip, const QString& key,
                          double DisplayOptions::*member);
    QCheckBox* flag(QFormLayout* form, const QString& label, const QString& tip,
                    bool DisplayOptions::*member);
    void changeDisplay(const QString& text, const QString& merge,
                       const std::function<void(DisplayOptions&)>& edit);
    void showSession();

    SessionController& m_controller;
    QComboBox *m_scale, *m_colormap, *m_filter, *m_sinks;
    QDoubleSpinBox *m_minimum, *m_maximum;
    QWidget* m_range;
    QSlider *m_opacity, *m_threshold;
    QCheckBox *m_grid, *m_recipe;
    std::pair<double, double> m_seen{0, 1};
    std::vector<std::function<void(const DisplayOptions&)>> m_readers;
};

}  // namespace fovea::gui
