// Pooled maps: every (chunk, block of columns) leaves the sums and maxima of its parts of the cells; the
// parts of a cell are joined at the end in a fixed order.
#pragma once

#include "cpu/heads.h"

namespace fovea::kernels::cpu {

/// Where the parts lie.
struct PoolParts {
    float *sum, *max;  ///< [heads][rowParts][columnParts]; null when not wanted
    int64_t cell;      ///< side of a pooled cell
    int64_t rowsPerChunk, columnsPerBlock, rowParts, columnParts;

    void layout(Arena& arena, const fv_problem& problem, int64_t heads, int64_t cellSide);
    bool wanted() const { return cell > 0; }
};

/// Collects the cells of one chunk and one block.
class PoolCollector {
public:
    /// `total` and `piece` are scratch.
    PoolCollector(const Level& level, const PoolParts& parts, Fold total, Fold piece)
        : m_level(level), m_parts(parts), m_total(total), m_piece(piece) {
        m_total.row = m_piece.row = nullptr;
    }

    void start(int64_t head, int64_t chunk, int64_t block, int columns);
    /// A block that no row of the chunk reaches.
    void skip(int64_t head, int64_t chunk, int64_t block) const;
    /// Rows [first, first + rows) of the head; `fold` holds their sums and maxima over `range` of the tile.
    void add(const float* tile, Fold fold, Range range, int64_t first, int rows, bool last);
    /// Whether these rows belong to one row of cells. The caller may then add them to the total, and end them.
    bool joins(int64_t first, int rows) const {
        return first / m_parts.cell == (first + rows - 1) / m_parts.cell;
    }
    Fold total() const { return m_total; }
    void end(int64_t first, int rows, bool last) {
        if (last || (first + rows) % m_parts.cell == 0) flush(first);
    }

private:
    void flush(int64_t row);

    const Level& m_level;
    const PoolParts& m_parts;
    Fold m_total, m_piece;
    int64_t m_chunk = 0, m_block = 0, m_base = 0;
    int m_columns = 0;
};

/// Joins the parts of the pooled row `row` of one head and writes it; either output may be null.
void joinPool(const fv_problem& problem, const PoolParts& parts, int64_t head, int64_t row, float* mean,
              float* max);

}  // namespace fovea::kernels::cpu
