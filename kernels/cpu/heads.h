// The packed keys and the log-sum-exp of the heads of one flight.
#pragma once

#include "cpu/scorer.h"

namespace fovea::kernels::cpu {

/// Lines of a head: all of a range, or a list.
struct LineSet {
    const int32_t* index;  ///< null: the range
    int64_t first, count;

    int32_t at(int64_t i) const { return index ? index[i] : static_cast<int32_t>(first + i); }
    int64_t chunks() const { return (count + kChunk - 1) / kChunk; }
    /// Gives chunk `chunk` to the scorer.
    void load(Scorer& scorer, int64_t chunk) const;
};

/// One query head of a flight.
struct HeadOf {
    int64_t batch, head, kvHead;
    int64_t slot, kvSlot;  ///< position in the flight
};

HeadOf headOf(const Context& context, const Flight& flight, int64_t slot);

/// Columns [first, first + count) of the keys of a flight, packed.
struct KeyPanels {
    float* data;
    int64_t words;  ///< of one head
    int64_t first, count;

    void layout(Arena& arena, const Context& context, int64_t heads, int64_t firstColumn, int64_t columns);
    void pack(const Context& context, const Flight& flight) const;
    Matrix matrix(const Context& context, const HeadOf& head) const;
};

/// Shifts of `lines` of every query head of a flight.
struct Shifts {
    float *high, *low;  ///< [heads][stride]
    int64_t stride;

    void layout(Arena& arena, int64_t heads, int64_t lines);
    Shift at(const HeadOf& head, int64_t line) const {
        return {high[head.slot * stride + line], low[head.slot * stride + line]};
    }
    /// From the problem's log-sum-exp, or computed from `keys`, which then hold every column.
    void fill(const Context& context, const Flight& flight, const LineSet& lines, const KeyPanels& keys,
              const ScoreScratch* scratch) const;
};

}  // namespace fovea::kernels::cpu
