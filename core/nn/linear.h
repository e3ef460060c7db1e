#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace fovea {

/// A weight matrix with an optional bias: y = x W^T + b.
struct Linear {
    at::Tensor weight;  // [out, in]
    at::Tensor bias;    // [out], or undefined
    std::string name;   ///< its path in the checkpoint, without ".weight"
};

}  // namespace fovea
