// One instruction set of the CPU back end: a table of small operations on rows of cells. Everything else is
// written once.
//
// A block is up to kBlock columns of a matrix; a tile is `tileRows` lines of a block, [tileRows][kBlock],
// 64-byte aligned. Columns are packed as panels, [panel][depth][panelColumns]; lines as tiles,
// [depth][tileRows]. A word of depth is one fp32 value or, where `pairs` are used, two bf16 values. Ranges of
// columns begin at a multiple of `panelColumns` and end at a multiple of `width`.
#pragma once

#include <stdint.h>

#include "fovea/kernels/statistics.h"

namespace fovea::kernels::cpu {

constexpr int kBlock = 384;    ///< columns of a block
constexpr int kChunk = 128;    ///< lines of a unit of work
constexpr int kMaxHead = 256;  ///< largest head size
/// Score of a hidden cell: finite, so that no product with it is NaN, and below every visible score.
constexpr float kHidden = -1e30f;

/// Rows of an operand: `row i` is `dim` contiguous elements at data + i * strideBytes.
struct Source {
    const char* data;
    int64_t strideBytes;
    fv_dtype dtype;
    int dim;
};

/// Base-2 logit of a score: score * (factor + rest), the two together more exact than fp32.
struct Factor {
    float high, low;
};

/// A base-2 log-sum-exp in two parts.
struct Shift {
    float high, low;
};

/// Sums over one row of a block: of p, and of p * log2(p).
struct RowSums {
    float sum, entropy;
};

/// Column sums, maxima and rows of the maxima of a tile, [kBlock] each; `row` may be null.
struct Fold {
    float *sum, *max, *row;
};

struct Level {
    int tileRows, panelColumns, width;
    bool pairs;  ///< bf16 operands stay bf16

    /// Packs `count` rows from `first` as one panel; absent columns are 0.
    void (*packPanel)(const Source& rows, bool pairs, int64_t first, int count, float* panel);
    /// Packs the rows `index[0..count)` as one tile; absent rows are 0.
    void (*packTile)(const Source& rows, bool pairs, const int32_t* index, int count, float* tile);
    /// Row `index` as fp32.
    void (*readRow)(const Source& rows, int64_t index, float* out);

    /// Scores of one packed tile with the columns [begin, end) of a packed block.
    void (*scores)(const float* lines, const float* panels, int depth, int begin, int end, float* tile);
    void (*pairScores)(const float* lines, const float* panels, int depth, int begin, int end, float* tile);
    /// acc[row][0..vectors * width) += sum over columns of tile[row][column] * values[column][..]; vectors is
    /// 1 to 3.
    void (*addValues)(const float* tile, int begin, int end, const float* values, int vectors, float* acc,
                      int stride);

    void (*scale)(float* row, int begin, int end, float factor);
    /// row = outer * tanh(inner * row).
    void (*softcap)(float* row, int begin, int end, float inner, float outer);
    /// row = kHidden where mask is below 0.
    void (*hide)(float* row, int begin, int end, const float* mask);
    float (*largest)(const float* row, int begin, int end);
    /// First column whose value is `value`, or end.
    int (*find)(const float* row, int begin, int end, float value);
    /// Columns whose value is above `limit`, rising; returns how many.
    int (*above)(const float* row, int begin, int end, float limit, int32_t* found);

    /// Scores become probabilities 2^(score * factor - shift).
    RowSums (*probs)(float* row, int begin, int end, Factor factor, Shift shift);
    /// The same; lanes [3 * width] collect the two sums and the largest probability, lane by lane.
    void (*probLanes)(float* row, int begin, int end, Factor factor, Shift shift, float* lanes);
    /// The same with a shift for each column.
    void (*columnProbs)(float* row, int begin, int end, Factor factor, const float* high, const float* low);
    /// Scores become base-2 logs of probabilities.
    void (*columnLogs)(float* row, int begin, int end, Factor factor, const float* high, const float* low);

    void (*fold)(const float* tile, int rows, int begin, int end, int firstRow, Fold out);
    /// Adds a tile's sums and maxima to two folds; the sums of either may be null.
    void (*foldInto)(const float* tile, int rows, int begin, int end, Fold first, Fold second);
    void (*addFold)(Fold total, Fold part, int begin, int end);
    float (*sumRange)(const float* row, int begin, int end);  // any range
    float (*maxRange)(const float* row, int begin, int end);  // any range, of values that are not negative
    void (*scaleRange)(float* row, int begin, int end, float factor);
    /// out[c] = sum of row * x[c], x is [count][kBlock].
    void (*dots)(const float* row, int begin, int end, const float* x, int count, float* out);
    /// row = part(row * other).
    void (*relevance)(float* row, const float* other, int begin, int end, fv_relevance_part part);
    /// into = into op from: sum, maximum or minimum.
    void (*join)(float* into, const float* from, int begin, int end, fv_head_reduce heads);
};

/// Null where this build or processor lacks the level.
const Level* scalarLevel();
const Level* avx2Level();
const Level* avx512Level();
const Level* avx512Bf16Level();

/// The table of an FV_LEVEL_* that this machine has.
const Level& levelOf(int level);

}  // namespace fovea::kernels::cpu
