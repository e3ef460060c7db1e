// The k largest scores of a line, first come first among equals.
#pragma once

#include "cpu/level.h"

namespace fovea::kernels::cpu {

/// A view of k values, descending, and their indices; `filled` of them are used.
struct TopList {
    float* value;
    int32_t* index;
    int k;
    int* filled;

    /// Only scores above this can enter.
    float limit() const { return *filled < k ? kHidden : value[k - 1]; }
    void insert(float score, int32_t at) const {
        if (!(score > limit())) return;
        int place = *filled < k ? (*filled)++ : k - 1;
        for (; place > 0 && value[place - 1] < score; --place) {
            value[place] = value[place - 1];
            index[place] = index[place - 1];
        }
        value[place] = score;
        index[place] = at;
    }
};

/// Lists of kChunk lines in a slot's scratch.
struct TopScratch {
    float* value;    ///< [kChunk][kMaxTop]
    int32_t* index;  ///< [kChunk][kMaxTop]
    int32_t* found;  ///< [kBlock]
    int filled[kChunk];
    int k;

    static constexpr int kMaxTop = 64;

    template <class ArenaType>
    void layout(ArenaType& arena, int64_t wanted) {
        k = static_cast<int>(wanted);
        value = arena.template take<float>(wanted ? kChunk * kMaxTop : 0);
        index = arena.template take<int32_t>(wanted ? kChunk * kMaxTop : 0);
        found = arena.template take<int32_t>(wanted ? kBlock : 0);
    }
    void clear() {
        for (int& count : filled) count = 0;
    }
    TopList list(int line) { return {value + line * kMaxTop, index + line * kMaxTop, k, filled + line}; }

    /// Takes the scores of the columns [begin, end); `firstColumn` is the index of column 0. In growing steps: the
    /// limit has risen after a few columns, and keeps most of the others from being looked at one by one.
    void collect(const Level& level, int line, const float* cells, int begin, int end, int64_t firstColumn) {
        const TopList top = list(line);
        for (int step = 32; begin < end; begin += step, step *= 2) {
            const int count = level.above(cells, begin, begin + step < end ? begin + step : end, top.limit(), found);
            for (int i = 0; i < count; ++i)
                top.insert(cells[found[i]], static_cast<int32_t>(firstColumn + found[i]));
        }
    }
    /// Writes k values and indices; places beyond the filled ones hold 0 and -1.
    void write(const Level& level, int line, Factor factor, Shift shift, float* valueOut, int32_t* indexOut) {
        float* scores = value + line * kMaxTop;
        for (int i = filled[line]; i < kMaxTop; ++i) scores[i] = kHidden;
        level.probs(scores, 0, kMaxTop, factor, shift);
        for (int i = 0; i < k; ++i) {
            const bool used = i < filled[line];
            if (valueOut) valueOut[i] = used ? scores[i] : 0;
            if (indexOut) indexOut[i] = used ? index[line * kMaxTop + i] : -1;
        }
    }
};

}  // namespace fovea::kernels::cpu
