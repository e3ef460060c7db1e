#include "fovea/kernels/status.h"

const char* fv_status_text(fv_status status) {
    switch (status) {
        case FV_OK:
            return "no error";
        case FV_NULL_POINTER:
            return "a required pointer is null";
        case FV_BAD_SIZE:
            return "a size, stride or count is out of range, or heads are no multiple of key-value heads";
        case FV_NO_DEVICE:
            return "no CUDA device can be used";
        case FV_DEVICE_ERROR:
            return "the CUDA runtime reported an error";
        case FV_MISALIGNED:
            return "a pointer is not aligned";
        case FV_SMALL_WORKSPACE:
            return "the workspace is too small";
        case FV_OVERLAP:
            return "outputs share memory";
        case FV_BAD_VALUE:
            return "a value is not allowed";
        case FV_CANCELLED:
            return "cancelled";
        case FV_NONFINITE:
            return "queries or keys hold NaN or infinity";
        case FV_UNSUPPORTED:
            return "this back end does not offer the call with these sizes";
    }
    return "unknown status";
}
