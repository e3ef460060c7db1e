#pragma once

#include <stop_token>
#include <thread>

namespace fovea::cli {

/// While it lives, Ctrl-C (and SIGTERM) requests a stop instead of ending the program, so that everything
/// unwinds and no half file stays. There must be only one.
class Interrupt {
public:
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    std::stop_token token() const { return m_source.get_token(); }

private:
    std::stop_source m_source;
    std::jthread m_watch;
};

}  // namespace fovea::cli
