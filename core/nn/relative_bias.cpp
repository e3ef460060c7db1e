#include "nn/relative_bias.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/upsample_bilinear2d.h>

namespace fovea {
namespace {

/// For every pair of tokens (class token first) its row in the table.
at::Tensor tableRows(const GridSize& grid, const at::TensorOptions& options) {
    const std::int64_t width = 2 * grid.columns - 1;
    const std::int64_t offsets = (2 * grid.rows - 1) * width;
    const at::Tensor cell = at::arange(grid.cells(), options);
    const at::Tensor row = cell.floor_divide(grid.columns);
    const at::Tensor column = cell.remainder(grid.columns);
    const at::Tensor dy = row.unsqueeze(1) - row.unsqueeze(0) + (grid.rows - 1);
    const at::Tensor dx = column.unsqueeze(1) - column.unsqueeze(0) + (grid.columns - 1);
    const at::Tensor patches = dy * width + dx;
    const at::Tensor fromClass = at::full({1, grid.cells()}, offsets, options);
    const at::Tensor toClass = at::full({grid.cells(), 1}, offsets + 1, options);
    const at::Tensor both = at::full({1, 1}, offsets + 2, options);
    return at::cat({at::cat({both, fromClass}, 1), at::cat({toClass, patches}, 1)}, 0);
}

}  // namespace

void RelativeBias::visit(WeightVisitor& weights, const std::string& name) {
    weights.tensor(m_table, name, {(2 * m_grid.rows - 1) * (2 * m_grid.columns - 1) + 3, m_heads});
}

at::Tensor RelativeBias::forGrid(const GridSize& grid) const {
    const std::int64_t oldHeight = 2 * m_grid.rows - 1;
    const std::int64_t oldWidth = 2 * m_grid.columns - 1;
    const std::int64_t height = 2 * grid.rows - 1;
    const std::int64_t width = 2 * grid.columns - 1;
    at::Tensor offsets = m_table.narrow(0, 0, oldHeight * oldWidth);
    if (height != oldWidth || width != oldHeight) {
        // The reference reads the table as [width, height]; for square grids, the published ones, it is the
        // same.
        const auto type = m_table.scalar_type();
        const bool low = type == at::kHalf || type == at::kBFloat16;
        at::Tensor image = offsets.reshape({1, oldWidth, oldHeight, m_heads}).permute({0, 3, 1, 2});
        if (low) image = image.to(at::kFloat);
        image = at::upsample_bilinear2d(image.contiguous(), {height, width}, false);
        offsets = image.permute({0, 2, 3, 1}).reshape({height * width, m_heads}).to(type);
    }
    const at::Tensor table = at::cat({offsets, m_table.narrow(0, oldHeight * oldWidth, 3)}, 0);
    const at::Tensor rows = tableRows(grid, table.options().dtype(at::kLong));
    const std::int64_t tokens = grid.cells() + 1;
    return table.index_select(0, rows.reshape({-1}))
        .view({tokens, tokens, m_heads})
        .permute({2, 0, 1})
        .unsqueeze(0);
}

}  // namespace fovea
