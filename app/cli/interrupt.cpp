#include "interrupt.h"

#include <chrono>
#include <csignal>

namespace fovea::cli {
namespace {

// A handler may do no more than set such a flag; a thread turns it into a stop request.
volatile std::sig_atomic_t interrupted = 0;

extern "C" void onInterrupt(int signal) {
    interrupted = 1;
    std::signal(signal, SIG_DFL);  // a second one ends a program that cannot obey the first
}

}  // namespace

Interrupt::Interrupt() {
    interrupted = 0;
    std::signal(SIGINT, onInterrupt);
    std::signal(SIGTERM, onInterrupt);
    m_watch = std::jthread([this](const std::stop_token& end) {
        while (!end.stop_requested() && interrupted == 0)
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        if (interrupted != 0) m_source.request_stop();
    });
}

Interrupt::~Interrupt() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
}

}  // namespace fovea::cli
