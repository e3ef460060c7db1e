// Column statistics: every chunk of queries leaves its sums, maxima and rows of the maxima,
// [heads][chunks][keys]; they are joined in the order of the chunks, a few chunks at a time.
#pragma once

#include "cpu/heads.h"

namespace fovea::kernels::cpu {

struct ColumnParts {
    static constexpr int64_t kWave = 32;  ///< chunks that are kept at once

    float *sum, *max, *row;  ///< of the chunks of a wave, `row` relative to the chunk; null when not wanted
    double* totalSum;        ///< [heads][stride]
    float* totalMax;
    int32_t* totalRow;
    int64_t stride, chunks, perWave;  ///< keys rounded up to blocks; chunks in all and per wave

    void layout(Arena& arena, const fv_problem& problem, int64_t heads, bool wanted, bool rows);
    bool wanted() const { return stride > 0; }
    Fold at(int64_t head, int64_t chunk, int64_t column) const;
    /// Adds the chunks of a wave to the totals of the keys [begin, end).
    void join(int64_t head, int64_t wave, int64_t begin, int64_t end) const;
};

}  // namespace fovea::kernels::cpu
