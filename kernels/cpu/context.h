// What every driver of one call shares: the problem, the level, the packed operands and the log-sum-exp.
#pragma once

#include <atomic>

#include "cpu/arena.h"
#include "cpu/level.h"
#include "cpu/workers.h"

namespace fovea::kernels::cpu {

constexpr double kLog2e = 1.4426950408889634, kLn2 = 0.6931471805599453;

/// Splits a base-2 log-sum-exp; a row without keys, or one below every score, gets a shift that makes its
/// cells 0.
inline Shift shiftOf(double log2Sum) {
    if (log2Sum <= -9e29) return {3e38f, 0};
    const float high = static_cast<float>(log2Sum);
    return {high, static_cast<float>(log2Sum - high)};
}

struct Context {
    Context(const fv_problem& problem, const fv_exec& exec);

    const fv_problem& problem;
    const Level& level;
    Workers workers;
    int slots;
    bool pairs;        ///< queries and keys are packed as bf16 pairs
    int depth;         ///< words of a packed row of queries or keys
    Factor factor;     ///< base-2 logit of what Scorer leaves in a tile
    bool transformed;  ///< soft-cap, bias or an unusual scale: Scorer leaves base-2 logits
    int64_t group, kvCount, headCount, dv;
    mutable std::atomic<bool> nonfinite{false};

    Source query(int64_t batch, int64_t head) const;
    Source key(int64_t batch, int64_t kvHead) const;
    Source value(int64_t batch, int64_t kvHead) const;
    Source gradOutput(int64_t batch, int64_t head) const;

    /// Words of `columns` packed columns of `words` depth.
    int64_t panelWords(int64_t columns, int words) const {
        return (columns + level.panelColumns - 1) / level.panelColumns * level.panelColumns * words;
    }
    fv_status finish() const;
};

/// A run of key-value heads, flattened over the batch, that are worked on together: as few as keep all
/// threads busy.
struct Flight {
    int64_t first, count;
};

/// Heads of a flight when each gives `units` units of work.
int64_t flightSize(const Context& context, int64_t units);

/// Packs `columns` rows of a source from `first`, as the units [0, packUnits) of one packed operand.
int64_t packUnits(const Context& context, int64_t columns);
void packUnit(const Context& context, const Source& source, bool pairs, int64_t first, int64_t columns,
              int64_t unit, float* panels);

}  // namespace fovea::kernels::cpu
