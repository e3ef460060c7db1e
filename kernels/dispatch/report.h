// The first reason for refusing a call, in words.
#pragma once

#include "fovea/kernels/statistics.h"

namespace fovea::kernels {

/// Keeps the first complaint of a series of checks and writes it into the message buffer of the execution.
class Report {
public:
    explicit Report(const fv_exec* exec) : m_exec(exec) {}

    /// Returns `fine`; the first false sets the status and the message "what: why".
    bool require(bool fine, fv_status status, const char* what, const char* why);
    fv_status status() const { return m_status; }

private:
    const fv_exec* m_exec;
    fv_status m_status = FV_OK;
};

}  // namespace fovea::kernels
