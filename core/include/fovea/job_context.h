#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "fovea/error.h"

namespace fovea {

/// How a long computation reports progress and learns that it should stop; a value, cheap to copy.
class JobContext {
public:
    /// Receives the finished fraction (0..1) and a short label; called on the thread that computes.
    using Report = std::function<void(double fraction, std::string_view label)>;

    JobContext() = default;
    explicit JobContext(std::stop_token stop, Report report = {})
        : m_stop(std::move(stop)), m_report(std::move(report)) {}

    /// Reports the finished fraction of this context's range; throws Cancelled when a stop was requested.
    void progress(double fraction, std::string_view label = {}) const {
        if (m_stop.stop_requested()) throw Cancelled();
        if (m_report) m_report(m_begin + (m_end - m_begin) * fraction, label);
    }

    /// A context whose 0..1 is begin..end of this one, for a part of a larger job.
    JobContext part(double begin, double end) const {
        JobContext child = *this;
        child.m_begin = m_begin + (m_end - m_begin) * begin;
        child.m_end = m_begin + (m_end - m_begin) * end;
        return child;
    }

    bool stopRequested() const { return m_stop.stop_requested(); }
    const std::stop_token& stopToken() const { return m_stop; }

private:
    std::stop_token m_stop;
    Report m_report;
    double m_begin = 0;
    double m_end = 1;
};

}  // namespace fovea
