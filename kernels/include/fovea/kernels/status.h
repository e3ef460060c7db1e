// What becomes of a kernel call.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/// What became of a call; every status other than FV_OK and FV_NONFINITE leaves the outputs untouched, except that a
/// cancelled call or a device error leaves them undefined.
typedef enum fv_status {
    FV_OK = 0,
    FV_NULL_POINTER = 1,     ///< a required pointer is null
    FV_BAD_SIZE = 2,         ///< a size, stride or count is out of range, or heads are no multiple of key-value heads
    FV_NO_DEVICE = 3,        ///< no CUDA device, or the program was built without CUDA
    FV_DEVICE_ERROR = 4,     ///< the CUDA runtime reported an error
    FV_MISALIGNED = 5,       ///< a pointer is not aligned to its element, or the workspace not to 64 bytes
    FV_SMALL_WORKSPACE = 6,  ///< the workspace is smaller than the reported size
    FV_OVERLAP = 7,          ///< two outputs, or an output and the workspace, share memory
    FV_BAD_VALUE = 8,        ///< a value is not allowed: NaN scale, unknown enumerator, unsorted offsets
    FV_CANCELLED = 9,        ///< the cancel flag was raised
    FV_NONFINITE = 10,       ///< the logits held NaN or +inf; every output is defined (CPU; on CUDA see the flags)
    FV_UNSUPPORTED = 11,     ///< this back end does not offer the call with these sizes
} fv_status;

/// A short English sentence for a status; never null.
const char* fv_status_text(fv_status status);

#ifdef __cplusplus
}
#endif
