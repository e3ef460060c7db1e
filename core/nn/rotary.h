#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fovea {

/// Cosines and sines of a rotary embedding, one row a token, [tokens, head_dim] in the half-split layout.
struct RotaryTable {
    at::Tensor cos;
    at::Tensor sin;

    bool defined() const { return cos.defined(); }
    /// The rows of some tokens (int64 indices); all of them where `kept` is undefined.
    RotaryTable select(const at::Tensor& kept) const;
};

/// What an axial table of patch centres depends on.
struct AxialRotarySpec {
    std::int64_t rows = 0, columns = 0;  ///< of the patch grid
    std::int64_t headDim = 0;            ///< a multiple of 4
    std::int64_t prefix = 0;             ///< tokens before the patches, left as they are
    double theta = 100;
};

/// The 2-D table of DINOv3 (Simeoni et al. 2025): patch centres mapped to [-1, 1] in both axes, angle 2 pi c
/// / theta^(4j/D).
RotaryTable axialRotary(const AxialRotarySpec& spec, const at::TensorOptions& options);

/// x cos + rotate_half(x) sin for x [1, heads, tokens, head_dim]; of heads wider than the table the last dimensions stay
/// as they are.
at::Tensor rotate(const at::Tensor& x, const RotaryTable& table);

}  // namespace fovea
