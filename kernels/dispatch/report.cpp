#include "dispatch/report.h"

#include <cstdio>

namespace fovea::kernels {

bool Report::require(bool fine, fv_status status, const char* what, const char* why) {
    if (fine || m_status != FV_OK) return fine;
    m_status = status;
    if (m_exec && m_exec->struct_size == sizeof(fv_exec) && m_exec->message && m_exec->message_size > 0) {
        std::snprintf(m_exec->message, m_exec->message_size, "%s: %s", what, why);
    }
    return false;
}

}  // namespace fovea::kernels
