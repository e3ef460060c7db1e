#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <string>

#include "fovea/open_model.h"
#include "io/dtype.h"

namespace fovea {

/// Where a model runs and in which type.
struct Placement {
    c10::Device device = c10::kCPU;
    c10::ScalarType dtype = c10::kFloat;
};

/// Resolves device and dtype of the options for weights of a stored type. "auto" takes CUDA where there is
/// one; dtype "auto" keeps the stored type, but on a CPU fp16 becomes fp32, and so does bf16 without bf16
/// instructions. Throws Error: Memory for a device that is not there, Usage for a word that is none of the
/// known ones.
Placement resolvePlacement(const LoadOptions& options, Dtype stored);

/// "cpu", "cuda:0".
std::string deviceName(c10::Device device);
/// "float32", "bfloat16", ...
std::string dtypeName(c10::ScalarType dtype);

}  // namespace fovea
