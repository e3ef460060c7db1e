#include "nn/towers/projector.h"

#include <fmt/format.h>

#include "attention/forward.h"
#include "fovea/error.h"

namespace fovea {
namespace {

// [1, rows * columns, size] -> [1, block rows, block columns, factor, factor, size].
at::Tensor blocksOf(const at::Tensor& features, const GridSize& grid, std::int64_t factor) {
    if (grid.rows % factor != 0 || grid.columns % factor != 0)
        throw Error(fmt::format("pixel_values: expected a grid of patches that {} divides, found {} x {}",
                                factor, grid.rows, grid.columns),
                    "Scale the picture to such a size, or give it with --image.");
    return features
        .reshape({1, grid.rows / factor, factor, grid.columns / factor, factor, features.size(2)})
        .permute({0, 1, 3, 2, 4, 5});
}

}  // namespace

at::Tensor shuffled(const at::Tensor& features, const GridSize& grid, std::int64_t factor) {
    if (factor == 1) return features;
    return blocksOf(features, grid, factor)
        .reshape({1, grid.cells() / (factor * factor), factor * factor * features.size(2)});
}

void Projector::visit(WeightVisitor& weights) {
    if (!m_spec.norm.empty())
        m_norm.visit(weights, m_spec.norm, m_spec.input, m_spec.normKind, m_spec.normEps);
    if (!m_spec.matrix.empty()) {
        at::Tensor stored;
        weights.tensor(stored, m_spec.matrix, {m_spec.input, m_spec.output});
        if (stored.defined()) m_first.weight = stored.t();
        m_first.name = m_spec.matrix;
        return;
    }
    const std::int64_t inner = m_spec.second.empty() ? m_spec.output : m_spec.inner;
    weights.linear(m_first, m_spec.first, inner, m_spec.input, m_spec.bias);
    if (!m_spec.second.empty()) weights.linear(m_second, m_spec.second, m_spec.output, inner, m_spec.bias);
}

at::Tensor Projector::run(const at::Tensor& features, const GridSize& grid, Forward& forward) const {
    at::Tensor x = features;
    if (m_spec.gather == Gather::Shuffle) x = shuffled(x, grid, m_spec.factor);
    if (m_spec.gather == Gather::Average)
        x = blocksOf(x, grid, m_spec.factor)
                .mean({3, 4})
                .reshape({1, grid.cells() / (m_spec.factor * m_spec.factor), features.size(2)});
    if (m_norm.defined()) x = m_norm(x);
    x = forward.linear(m_first, x);
    if (!m_spec.second.empty()) x = forward.linear(m_second, activate(m_spec.activation, x));
    return x.squeeze(0);
}

}  // namespace fovea
