#pragma once

#include <exception>

#include "fovea/error.h"

namespace fovea {

/// Number of threads that tensor operations use; 0 keeps what the machine offers. Throws Error (Usage) when
/// negative.
void setComputeThreads(int threads);

/// Gives memory that the tensor library keeps for reuse back to the device.
void releaseCachedMemory();

/// What a failure means to a person: an Error as it is; out of memory of any library as Error (Memory);
/// everything else as Error (Internal). `failure` must not be a Cancelled.
Error translated(const std::exception_ptr& failure);

}  // namespace fovea
