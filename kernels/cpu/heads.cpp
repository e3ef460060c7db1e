#include "cpu/heads.h"

#include <algorithm>
#include <limits>

namespace fovea::kernels::cpu {

namespace {

// Base-2 log-sum-exp that the caller gave for a query.
double givenSum(const Context& context, const HeadOf& head, int64_t query) {
    const fv_problem& p = context.problem;
    const float sum =
        p.lse[head.batch * p.lse_stride_b + head.head * p.lse_stride_h + query * p.lse_stride_t];
    if (!(sum < std::numeric_limits<float>::infinity())) context.nonfinite = true;
    return p.lse_is_log2 ? sum : sum * kLog2e;
}

}  // namespace

void LineSet::load(Scorer& scorer, int64_t chunk) const {
    const int64_t start = chunk * kChunk;
    const int taken = static_cast<int>(std::min<int64_t>(kChunk, count - start));
    if (index) {
        scorer.setLines(index + start, taken);
    } else {
        scorer.setLines(first + start, taken);
    }
}

HeadOf headOf(const Context& context, const Flight& flight, int64_t slot) {
    const int64_t kvSlot = slot / context.group, kv = flight.first + kvSlot;
    const int64_t batch = kv / context.problem.kv_heads, kvHead = kv % context.problem.kv_heads;
    return {batch, kvHead * context.group + slot % context.group, kvHead, slot, kvSlot};
}

void KeyPanels::layout(Arena& arena, const Context& context, int64_t heads, int64_t firstColumn,
                       int64_t columns) {
    first = firstColumn;
    count = columns;
    words = context.panelWords(columns, context.depth);
    data = arena.take<float>(heads * words);
}

void KeyPanels::pack(const Context& context, const Flight& flight) const {
    const int64_t units = packUnits(context, count);
    context.workers.each(flight.count * units, [&](int, int64_t unit) {
        const int64_t slot = unit / units, kv = flight.first + slot;
        const Source key = context.key(kv / context.problem.kv_heads, kv % context.problem.kv_heads);
        packUnit(context, key, context.pairs, first, count, unit % units, data + slot * words);
    });
}

Matrix KeyPanels::matrix(const Context& context, const HeadOf& head) const {
    return {head.batch, head.head, false, context.query(head.batch, head.head), data + head.kvSlot * words,
            first,      count};
}

void Shifts::layout(Arena& arena, int64_t heads, int64_t lines) {
    stride = (lines + 15) / 16 * 16 + kBlock;  // blocks of columns are read whole
    high = arena.take<float>(heads * stride);
    low = arena.take<float>(heads * stride);
}

void Shifts::fill(const Context& context, const Flight& flight, const LineSet& lines, const KeyPanels& keys,
                  const ScoreScratch* scratch) const {
    const int64_t chunks = lines.chunks();
    context.workers.each(flight.count * context.group * chunks, [&](int slot, int64_t unit) {
        const HeadOf head = headOf(context, flight, unit / chunks);
        const int64_t chunk = chunks - 1 - unit % chunks,
                      start = chunk * kChunk;  // under causal the longest first
        const int taken = static_cast<int>(std::min<int64_t>(kChunk, lines.count - start));
        double sum[kChunk];
        if (context.problem.lse) {
            for (int i = 0; i < taken; ++i) sum[i] = givenSum(context, head, lines.at(start + i));
        } else {
            Scorer scorer(context, scratch[slot], keys.matrix(context, head));
            lines.load(scorer, chunk);
            lineSums(context, scorer, scratch[slot], sum);
        }
        for (int i = 0; i < taken; ++i) {
            const Shift shift = shiftOf(sum[i]);
            high[head.slot * stride + start + i] = shift.high;
            low[head.slot * stride + start + i] = shift.low;
        }
        if (chunk + 1 < chunks) return;
        std::fill(high + head.slot * stride + lines.count, high + (head.slot + 1) * stride, 3e38f);
        std::fill(low + head.slot * stride + lines.count, low + (head.slot + 1) * stride, 0.0f);
    });
}

}  // namespace fovea::kernels::cpu
