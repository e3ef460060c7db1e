#pragma once

#include <QObject>
#include <QTimer>

#include "window/options.h"

namespace fovea::gui {

/// Waits until the window has drawn everything, writes a picture of it and ends the program, as the options
/// ask.
class Screenshot : public QObject {
    Q_OBJECT

public:
    Screenshot(MainWindow& window, const Options& options);
    void start();

private:
    void look();

    MainWindow& m_window;
    Options m_options;
    QTimer m_timer;
    int m_quiet = 0;
};

}  // namespace fovea::gui
