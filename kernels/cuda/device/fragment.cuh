// Statistics of one fragment of probabilities: 16 queries x 8 N keys of a warp, in the layout of the matrix
// instructions. Lane l holds queries l / 4 and l / 4 + 8 and of each group of eight keys 2 (l % 4) and the
// next.
#pragma once

#include "cuda/device/fast.h"
#include "cuda/device/primitives.cuh"

namespace fovea::kernels::cuda {

/// Running statistics of the columns that a lane holds.
template <int N, bool Argmax>
struct Columns {
    float sum[N][2];
    int max[N][2];
    int arg[Argmax ? N : 1][2];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int n = 0; n < N; ++n) {
            sum[n][0] = sum[n][1] = 0.f;
            max[n][0] = max[n][1] = 0;
            if constexpr (Argmax) arg[n][0] = arg[n][1] = -1;
        }
    }
};

/// What a lane knows of its two queries.
struct Rows {
    float negLse[2];
    Span span[2];
};

/// Which keys of a lane may be seen: the first key of the lane and one bit per key.
struct Keys {
    int first;
    uint32_t visible;
};

/// Statistics of two rows over the keys of one fragment.
struct RowSums {
    int max[2] = {0, 0};
    float sum[2] = {0.f, 0.f}, entropy[2] = {0.f, 0.f};
};

template <bool Masked>
__device__ __forceinline__ bool sees(const Rows& rows, const Keys& keys, int row, int n, int e) {
    if constexpr (!Masked) return true;
    const int key = keys.first + n * 8 + e;
    const unsigned offset = static_cast<unsigned>(key - rows.span[row].low);
    const unsigned length = static_cast<unsigned>(rows.span[row].high - rows.span[row].low);
    return offset < length && ((keys.visible >> (n * 2 + e)) & 1u);
}

/// Turns products into logarithms of probabilities, base 2, in place.
template <bool Masked, int N>
__device__ __forceinline__ void toLogs(float (&t)[N][4], float scale, const Rows& rows, const Keys& keys) {
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            t[n][i] = fmaf(t[n][i], scale, rows.negLse[i >> 1]);
            if constexpr (Masked) t[n][i] = sees<Masked>(rows, keys, i >> 1, n, i & 1) ? t[n][i] : kHidden;
        }
}

/// Adds the probabilities 2^t to the statistics of their columns and rows.
template <int N, bool Argmax>
__device__ __forceinline__ void addFragment(const float (&t)[N][4], int query0, Columns<N, Argmax>& columns,
                                            RowSums& sums) {
#pragma unroll
    for (int n = 0; n < N; ++n) {
        float p[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int row = i >> 1;
            p[i] = exp2Fast(t[n][i]);
            sums.entropy[row] = fmaf(p[i], t[n][i], sums.entropy[row]);
            sums.sum[row] += p[i];
        }
        sums.max[0] = max3(sums.max[0], asInt(p[0]), asInt(p[1]));
        sums.max[1] = max3(sums.max[1], asInt(p[2]), asInt(p[3]));
#pragma unroll
        for (int e = 0; e < 2; ++e) {
            columns.sum[n][e] += p[e];
            columns.sum[n][e] += p[e + 2];
            if constexpr (Argmax) {
                const int upper = asInt(p[e]), lower = asInt(p[e + 2]);
                const int best = max(upper, lower);
                if (best > columns.max[n][e]) {
                    columns.max[n][e] = best;
                    columns.arg[n][e] = lower > upper ? query0 + 8 : query0;
                }
            } else {
                columns.max[n][e] = max3(columns.max[n][e], asInt(p[e]), asInt(p[e + 2]));
            }
        }
    }
}

/// Adds the probabilities 2^t, times the weight of their row, to the columns.
template <int N>
__device__ __forceinline__ void addWeighted(const float (&t)[N][4], const float (&weight)[2],
                                            Columns<N, false>& columns) {
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i)
            columns.sum[n][i & 1] = fmaf(exp2Fast(t[n][i]), weight[i >> 1], columns.sum[n][i & 1]);
}

/// Halves two rows over lane pairs: even lanes keep the first row, odd lanes the second.
__device__ __forceinline__ float foldSum(float first, float second, bool odd) {
    const float keep = odd ? second : first, give = odd ? first : second;
    return keep + __shfl_xor_sync(~0u, give, 1);
}

/// Reduces both rows of a fragment over the four lanes that share them; even lanes get the first row, odd the
/// second.
struct RowTotals {
    float max, sum, entropy;
};

__device__ __forceinline__ RowTotals foldRows(const RowSums& s, bool odd) {
    float sum = foldSum(s.sum[0], s.sum[1], odd), entropy = foldSum(s.entropy[0], s.entropy[1], odd);
    const int keep = odd ? s.max[1] : s.max[0], give = odd ? s.max[0] : s.max[1];
    int max = ::max(keep, __shfl_xor_sync(~0u, give, 1));
    sum += __shfl_xor_sync(~0u, sum, 2);
    entropy += __shfl_xor_sync(~0u, entropy, 2);
    max = ::max(max, __shfl_xor_sync(~0u, max, 2));
    return {__int_as_float(max), sum, entropy};
}

/// The row normaliser of a lane's share of a fragment: the largest logit (base 2) of each row and the sum of
/// 2^(logit - largest).
struct LaneNormaliser {
    float largest[2], sum[2];
};

template <int N, bool Masked>
__device__ __forceinline__ LaneNormaliser normaliseLane(const float (&logits)[N][4], float scale,
                                                        const Rows& rows, const Keys& keys) {
    LaneNormaliser out{{kHidden, kHidden}, {0.f, 0.f}};
    float t[N][4];
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            t[n][i] = logits[n][i] * scale;
            if constexpr (Masked) t[n][i] = sees<Masked>(rows, keys, i >> 1, n, i & 1) ? t[n][i] : kHidden;
            out.largest[i >> 1] = fmaxf(out.largest[i >> 1], t[n][i]);
        }
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) out.sum[i >> 1] += exp2Fast(t[n][i] - out.largest[i >> 1]);
#pragma unroll
    for (int row = 0; row < 2; ++row)  // nothing was seen, unless it was NaN
        if (out.largest[row] == kHidden && out.sum[row] == out.sum[row]) out.sum[row] = 0.f;
    return out;
}

/// Joins two normalisers.
__device__ __forceinline__ void joinNormaliser(float& max, float& sum, float otherMax, float otherSum) {
    const float top = fmaxf(max, otherMax);
    sum = sum * exp2Fast(max - top) + otherSum * exp2Fast(otherMax - top);
    max = top;
}

/// Reduces the normalisers of both rows over the four lanes that share them, as foldRows does.
__device__ __forceinline__ RowTotals foldNormaliser(const LaneNormaliser& lane, bool odd) {
    float max = odd ? lane.largest[1] : lane.largest[0], sum = odd ? lane.sum[1] : lane.sum[0];
    const float giveMax = odd ? lane.largest[0] : lane.largest[1], giveSum = odd ? lane.sum[0] : lane.sum[1];
    joinNormaliser(max, sum, __shfl_xor_sync(~0u, giveMax, 1), __shfl_xor_sync(~0u, giveSum, 1));
    const float otherMax = __shfl_xor_sync(~0u, max, 2), otherSum = __shfl_xor_sync(~0u, sum, 2);
    joinNormaliser(max, sum, otherMax, otherSum);
    return {max, sum, 0.f};
}

/// Joins the eight lanes that hold the same columns; afterwards every lane has the totals.
template <int N, bool Argmax>
__device__ __forceinline__ void foldColumns(Columns<N, Argmax>& c) {
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
        for (int e = 0; e < 2; ++e)
#pragma unroll
            for (int step = 4; step <= 16; step *= 2) {
                c.sum[n][e] += __shfl_xor_sync(~0u, c.sum[n][e], step);
                const int other = __shfl_xor_sync(~0u, c.max[n][e], step);
                if constexpr (Argmax) {
                    const int index = __shfl_xor_sync(~0u, c.arg[n][e], step);
                    const bool better = other > c.max[n][e] ||
                                        (other == c.max[n][e] && unsigned(index) < unsigned(c.arg[n][e]));
                    c.arg[n][e] = better ? index : c.arg[n][e];
                }
                c.max[n][e] = max(c.max[n][e], other);
            }
}

/// Joins the lanes' shares of one number.
__device__ __forceinline__ float warpSum(float x) {
#pragma unroll
    for (int step = 1; step <= 16; step *= 2) x += __shfl_xor_sync(~0u, x, step);
    return x;
}
__device__ __forceinline__ int warpMax(int x) {
    return __reduce_max_sync(~0u, x);
}

}  // namespace fovea::kernels::cuda
