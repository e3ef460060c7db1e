#include "progress_bar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "terminal.h"

namespace fovea::cli {

std::string durationText(double seconds) {
    const auto whole = static_cast<long long>(std::ceil(seconds));
    if (whole < 60) return fmt::format("{} s", whole);
    const long long minutes = (whole + 59) / 60;
    return minutes < 60 ? fmt::format("{} min", minutes)
                        : fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

std::string progressLine(double fraction, double elapsedSeconds, std::string_view label, int width) {
    constexpr int cells = 20;
    const double share = std::clamp(std::isfinite(fraction) ? fraction : 0.0, 0.0, 1.0);
    const int full = static_cast<int>(share * cells);
    std::string line = fmt::format("[{}{}] {:3.0f} %", std::string(static_cast<std::size_t>(full), '#'),
                                   std::string(static_cast<std::size_t>(cells - full), '-'), 100 * share);
    // An estimate from the first few percent would jump about.
    if (share > 0.03 && elapsedSeconds > 0.5)
        line += fmt::format(", {} left", durationText(elapsedSeconds * (1 - share) / share));
    if (!label.empty()) line += fmt::format("  {}", label);
    if (static_cast<int>(line.size()) >= width) line.resize(static_cast<std::size_t>(std::max(1, width - 1)));
    return line;
}

ProgressBar::ProgressBar(bool visible) : m_visible(visible), m_begin(Clock::now()), m_last() {}

ProgressBar::~ProgressBar() {
    clear();
}

void ProgressBar::update(double fraction, std::string_view label) {
    if (!m_visible) return;
    const auto now = Clock::now();
    if (m_drawn && now - m_last < std::chrono::milliseconds(100)) return;
    m_last = now;
    m_drawn = true;
    const double elapsed = std::chrono::duration<double>(now - m_begin).count();
    const std::string line = "\r\x1b[K" + progressLine(fraction, elapsed, label, terminalWidth());
    std::fwrite(line.data(), 1, line.size(), stderr);
    std::fflush(stderr);
}

void ProgressBar::clear() {
    if (!m_drawn) return;
    std::fputs("\r\x1b[K", stderr);
    std::fflush(stderr);
    m_drawn = false;
}

}  // namespace fovea::cli
