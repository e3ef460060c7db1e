#pragma once

#include <ATen/core/Tensor.h>

namespace fovea {

/// Normalisation over the last axis with scale and shift (Ba et al. 2016).
struct LayerNorm {
    at::Tensor weight;  // [size]
    at::Tensor bias;    // [size]
    double eps = 1e-6;

    bool defined() const { return weight.defined(); }
    at::Tensor operator()(const at::Tensor& x) const;
};

}  // namespace fovea
