#pragma once

#include <QWidget>
#include <map>
#include <string>
#include <vector>

#include "window/session_controller.h"

class QAction;
class QCheckBox;
class QDoubleSpinBox;
class QSlider;
class QToolButton;
class QVBoxLayout;

namespace fovea::gui {

/// The adapters of the model: each with a switch, a strength, and a button that removes it. A strength needs no loading, so
/// that the answer follows the slider.
class AdaptersPanel : public QWidget {
    Q_OBJECT

public:
    /// `add` chooses a folder; `compare` shows the session beside itself without adapters.
    AdaptersPanel(SessionController& controller, QAction* add, QAction* compare, QWidget* parent = nullptr);

private:
    struct Row {
        QWidget* whole = nullptr;
        QCheckBox* on = nullptr;
        QSlider* slider = nullptr;
        QDoubleSpinBox* box = nullptr;
    };
    Row makeRow(int at, const AdapterChoice& adapter);
    void showSession();
    void setStrength(int at, double strength, const QString& merge);

    SessionController& m_controller;
    QAction* m_compare;
    QVBoxLayout* m_rows;
    std::vector<Row> m_made;
    std::vector<std::string> m_folders;           ///< of the rows
    std::map<std::string, double> m_lastStrength;  ///< by folder, before it was switched off
};

/// Adds an adapter at full strength; one that is there already is left as it is.
void addAdapter(Session& session, const std::string& folder);

}  // namespace fovea::gui
