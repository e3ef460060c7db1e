#include "nn/position_embedding.h"

#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/upsample_bicubic2d.h>

#include <cmath>

#include "fovea/error.h"

namespace fovea {
namespace {

std::int64_t squareSide(std::int64_t cells) {
    return static_cast<std::int64_t>(std::sqrt(static_cast<double>(cells)));
}

at::Tensor resized(const at::Tensor& image, const GridSize& to, PositionResize how) {
    switch (how) {
        case PositionResize::Bicubic:
            return at::upsample_bicubic2d(image, {to.rows, to.columns}, false);
        case PositionResize::BicubicAntialias:
            return at::_upsample_bicubic2d_aa(image, {to.rows, to.columns}, false);
        case PositionResize::BilinearAntialias:
            break;
    }
    return at::_upsample_bilinear2d_aa(image, {to.rows, to.columns}, false);
}

}  // namespace

void PositionEmbedding::visit(WeightVisitor& weights) {
    if (!defined()) return;
    std::vector<std::int64_t> shape = m_spec.leading;
    shape.insert(shape.end(), {m_spec.prefix + m_spec.grid.cells(), m_spec.hidden});
    weights.tensor(m_table, m_spec.name, std::move(shape));
    if (m_table.defined()) m_table = m_table.view({1, -1, m_spec.hidden});
}

bool PositionEmbedding::asStored(const GridSize& grid) const {
    if (m_spec.squareTable) return grid.rows == grid.columns && grid.cells() == m_spec.grid.cells();
    return grid == m_spec.grid || (grid.rows == grid.columns && grid.cells() == m_spec.grid.cells());
}

void PositionEmbedding::requireGrid(const GridSize& grid) const {
    if (!defined() || asStored(grid)) return;
    const std::int64_t side = squareSide(m_spec.grid.cells());
    if (side * side == m_spec.grid.cells()) return;
    throw Error(
        "pixel_values: expected a size of " + std::to_string(m_spec.grid.rows) + " x " +
            std::to_string(m_spec.grid.columns) + " patches, found " + std::to_string(grid.rows) + " x " +
            std::to_string(grid.columns),
        "Position embeddings of a grid that is not square cannot be resized; use the configured image size.");
}

at::Tensor PositionEmbedding::forGrid(const GridSize& grid) const {
    requireGrid(grid);
    if (asStored(grid)) return m_table;
    const std::int64_t side = squareSide(m_spec.grid.cells());
    const auto type = m_table.scalar_type();
    at::Tensor image = m_table.narrow(1, m_spec.prefix, side * side).reshape({1, side, side, m_spec.hidden});
    image = image.permute({0, 3, 1, 2});
    if (type != at::kDouble) image = image.to(at::kFloat);
    image = resized(image.contiguous(), grid, m_spec.resize);
    const at::Tensor patches = image.permute({0, 2, 3, 1}).reshape({1, grid.cells(), m_spec.hidden}).to(type);
    return at::cat({m_table.narrow(1, 0, m_spec.prefix), patches}, 1);
}

}  // namespace fovea
