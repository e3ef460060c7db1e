#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "nn/relative_bias.h"
#include "nn/weight_visitor.h"

namespace fovea {

/// How a table of learned positions is resized to another grid. Bicubic is ATen's, with a = -0.75; the forms
/// with antialiasing use a = -0.5.
enum class PositionResize { Bicubic, BicubicAntialias, BilinearAntialias };

struct PositionSpec {
    std::string name;                   ///< of the table; empty: the model has no such table
    std::vector<std::int64_t> leading;  ///< axes of size 1 before [positions, hidden] in the file: {1} or {}
    std::int64_t hidden = 768;
    std::int64_t prefix = 1;  ///< rows before those of the patches
    GridSize grid;            ///< at the configured input size
    PositionResize resize = PositionResize::Bicubic;
    /// The reference reads the table as a square even at the configured size (DINOv2, BEiT).
    bool squareTable = false;
};

/// Learned position embeddings for a grid of patches and the tokens before it.
class PositionEmbedding {
public:
    explicit PositionEmbedding(PositionSpec spec) : m_spec(std::move(spec)) {}

    const PositionSpec& spec() const { return m_spec; }
    bool defined() const { return !m_spec.name.empty(); }
    void visit(WeightVisitor& weights);
    /// Whether a table exists for this grid; throws Error (Input) where the reference cannot resize it.
    void requireGrid(const GridSize& grid) const;
    /// Positions of the prefix tokens and the grid, [1, prefix + cells, hidden].
    at::Tensor forGrid(const GridSize& grid) const;
    /// The table as stored, [1, positions, hidden].
    const at::Tensor& table() const { return m_table; }

private:
    bool asStored(const GridSize& grid) const;

    PositionSpec m_spec;
    at::Tensor m_table;
};

}  // namespace fovea
