#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "nn/weight_visitor.h"

namespace fovea {

/// The norms of language models.
enum class NormKind {
    Rms,         ///< w x / rms(x), x / rms(x) rounded to the type of the stream first (Zhang & Sennrich 2019)
    RmsPlusOne,  ///< (1 + w) x / rms(x), rounded last (Gemma)
    Layer,       ///< with mean, scale and shift (Ba et al. 2016)
};

/// A normalisation over the last axis; root mean squares are formed in fp32 (float64 stays).
class Norm {
public:
    void visit(WeightVisitor& weights, const std::string& path, std::int64_t size, NormKind kind, double eps);
    bool defined() const { return m_weight.defined(); }
    at::ScalarType dtype() const { return m_weight.scalar_type(); }
    at::Tensor operator()(const at::Tensor& x) const;

private:
    NormKind m_kind = NormKind::Rms;
    double m_eps = 1e-6;
    at::Tensor m_weight, m_bias;
};

}  // namespace fovea
