#include "nn/patch_embedding.h"

#include "attention/forward.h"

namespace fovea {

void PatchEmbedding::visit(WeightVisitor& weights) {
    const std::int64_t values = m_spec.channels * m_spec.height * m_spec.width;
    if (m_spec.patchesGiven) {
        weights.linear(m_projection, m_spec.path, m_spec.hidden, values, m_spec.bias);
        return;
    }
    weights.kernel(m_projection, m_spec.path, {m_spec.hidden, m_spec.channels, m_spec.height, m_spec.width},
                   m_spec.bias);
}

GridSize PatchEmbedding::grid(const at::Tensor& pixels) const {
    return {pixels.size(2) / m_spec.height, pixels.size(3) / m_spec.width};
}

at::Tensor PatchEmbedding::operator()(const at::Tensor& pixels, Forward& forward) const {
    at::Tensor x = pixels.to(m_projection.weight.scalar_type());
    if (!m_spec.patchesGiven) {
        const GridSize size = grid(x);
        x = x.narrow(2, 0, size.rows * m_spec.height).narrow(3, 0, size.columns * m_spec.width);
        x = x.reshape({1, m_spec.channels, size.rows, m_spec.height, size.columns, m_spec.width});
        x = x.permute({0, 2, 4, 1, 3, 5}).reshape({1, size.cells(), -1});
    }
    return forward.linear(m_projection, x);
}

}  // namespace fovea
