#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace fovea::cli {

/// A line on standard error with a bar, the share done, the remaining time and what is going on; redrawn in
/// place.
class ProgressBar {
public:
    /// Draws nothing unless `visible`.
    explicit ProgressBar(bool visible);
    ~ProgressBar();
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;

    void update(double fraction, std::string_view label);
    /// Takes the line away, so that other text can be written.
    void clear();

private:
    using Clock = std::chrono::steady_clock;
    bool m_visible;
    bool m_drawn = false;
    Clock::time_point m_begin, m_last;
};

/// "12 s", "3 min", "1 h 5 min".
std::string durationText(double seconds);

/// One line of at most `width` columns.
std::string progressLine(double fraction, double elapsedSeconds, std::string_view label, int width);

}  // namespace fovea::cli
