#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

#include "nn/rotary.h"

namespace fovea {

/// rotate() of queries and keys as one tensor, bit for bit, in half as many operators: of a few tokens their number is
/// what counts, of many the copy.
class RotaryPair {
public:
    RotaryPair() = default;
    explicit RotaryPair(const RotaryTable& table);

    bool defined() const { return m_cos.defined(); }
    /// Queries and keys, [1, heads, tokens, head_dim] each in the type of the table and as wide as it.
    std::pair<at::Tensor, at::Tensor> operator()(const at::Tensor& query, const at::Tensor& key) const;

private:
    at::Tensor m_cos;
    at::Tensor m_sines;  // with the sign of the half that they turn
};

}  // namespace fovea
