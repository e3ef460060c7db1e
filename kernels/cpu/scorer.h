// Scores of up to kChunk lines of one head against its packed columns, with every mask applied.
#pragma once

#include "cpu/context.h"
#include "cpu/visibility.h"

namespace fovea::kernels::cpu {

/// One head as lines and columns: queries and keys, or keys and queries when `transposed`.
struct Matrix {
    int64_t batch, head;
    bool transposed;
    Source lines;
    const float* panels;  ///< packed columns
    int64_t firstColumn, columns;
};

/// Columns of a block, relative to its start; empty when begin is not below end.
struct Range {
    int begin, end;
    bool empty() const { return begin >= end; }
};

/// Scratch of one slot.
struct ScoreScratch {
    float* packed;  ///< kChunk packed lines
    float* tile;    ///< [tileRows][kBlock]
    float* mask;    ///< [kBlock]

    void layout(Arena& arena, const Context& context);
};

class Scorer {
public:
    Scorer(const Context& context, const ScoreScratch& scratch, const Matrix& matrix);

    /// Takes `count` lines, at most kChunk, and packs them.
    void setLines(const int32_t* index, int count);
    void setLines(int64_t first, int count);

    int lines() const { return m_count; }
    int tiles() const { return (m_count + m_level.tileRows - 1) / m_level.tileRows; }
    int rowsOf(int tile) const;
    int64_t blocks() const { return (m_matrix.columns + kBlock - 1) / kBlock; }
    int64_t line(int row) const { return m_index[row]; }
    /// True when some line may see a column of the block.
    bool reaches(int64_t block) const;

    /// Announces the block that the next calls of score read.
    void setBlock(int64_t block);
    /// Leaves scores in scratch.tile; columns outside of a row's own range, and hidden ones, are kHidden.
    Range score(int tile);

private:
    void transform(int row, Range range, float* cells) const;

    const Context& m_context;
    const Level& m_level;
    ScoreScratch m_scratch;
    Matrix m_matrix;
    int m_count = 0;
    int32_t m_index[kChunk];
    Span m_span[kChunk];  // local columns
    Span m_reach{0, 0};
    int64_t m_block = 0;
    int m_columns = 0;  // of the block
    bool m_masked = false;
};

/// Base-2 log-sum-exp of the lines that the scorer holds; -inf for a line without columns.
void lineSums(const Context& context, Scorer& scorer, const ScoreScratch& scratch, double* log2Sum);

}  // namespace fovea::kernels::cpu
