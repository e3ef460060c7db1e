#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "nn/weight_visitor.h"

namespace fovea {

/// Rows and columns of a patch grid.
struct GridSize {
    std::int64_t rows = 0;
    std::int64_t columns = 0;

    std::int64_t cells() const { return rows * columns; }
    bool operator==(const GridSize&) const = default;
};

/// Relative position bias of BEiT (Bao et al. 2022): one value a head for every offset between two patches,
/// and three for pairs with the class token. Tables of another grid are resized bilinearly.
class RelativeBias {
public:
    RelativeBias() = default;
    RelativeBias(GridSize grid, int heads) : m_grid(grid), m_heads(heads) {}

    bool defined() const { return m_table.defined(); }
    void visit(WeightVisitor& weights, const std::string& name);
    /// The bias of a class token followed by a grid of patches, [1, heads, 1 + cells, 1 + cells].
    at::Tensor forGrid(const GridSize& grid) const;

private:
    GridSize m_grid;
    int m_heads = 0;
    at::Tensor m_table;  // [(2 rows - 1)(2 columns - 1) + 3, heads]
};

}  // namespace fovea
