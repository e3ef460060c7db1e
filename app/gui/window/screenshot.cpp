#include "window/screenshot.h"

#include <QApplication>
#include <QPixmap>
#include <cstdio>

#include "panels/error_banner.h"
#include "window/main_window.h"

namespace fovea::gui {

namespace {

constexpr int everyMs = 50;
constexpr int quietLooks = 4;  // settled this many times in a row: nothing more is coming

}  // namespace

Screenshot::Screenshot(MainWindow& window, const Options& options) : m_window(window), m_options(options) {
    m_timer.setInterval(everyMs);
    connect(&m_timer, &QTimer::timeout, this, &Screenshot::look);
}

void Screenshot::start() {
    if (!m_options.screenshot.isEmpty() || m_options.quit) m_timer.start();
}

void Screenshot::look() {
    m_quiet = m_window.presenter().settled() ? m_quiet + 1 : 0;
    if (m_quiet < quietLooks) return;
    m_timer.stop();
    int code = 0;
    if (!m_window.banner().isHidden()) {
        std::fprintf(stderr, "error: %s\n", qPrintable(m_window.banner().text()));
        code = 3;
    }
    if (!m_options.screenshot.isEmpty() && !m_window.grab().save(m_options.screenshot)) {
        std::fprintf(stderr,
                     "error: \"%s\" cannot be written\nhint: name a PNG file in a folder that exists\n",
                     qPrintable(m_options.screenshot));
        code = 3;
    }
    if (m_options.quit) QApplication::exit(code);
}

}  // namespace fovea::gui
