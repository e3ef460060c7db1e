// Row statistics of one query tile pass from the warps, each of which sees a part of the keys, to global
// memory.
#pragma once

#include "cuda/device/fragment.cuh"

namespace fovea::kernels::cuda {

/// Shared memory for one tile: Groups sets of warps each see other keys; PoolWarps warps share a pooled cell.
template <int Groups, int PoolWarps>
struct TileParts {
    float rows[kRowStats][Groups][kQueryTile];
    float poolSum[PoolWarps][kKeyBlock / 64];
    int poolMax[PoolWarps][kKeyBlock / 64];
};

/// Where one head's results of this key block go.
struct TileTarget {
    float* rows;               // [kRowStats, queries of the pass], at the place of query 0
    float *poolSum, *poolMax;  // at this head and key block; null when not wanted
    int poolColumns;           // of the whole map
    int poolsHere;             // cells of 64 keys in this block that exist
};

__device__ __forceinline__ TileTarget targetOf(const FastPass& pass, int headInPass, int keyBlock) {
    TileTarget t{};
    const Problem& p = pass.problem;
    t.rows = pass.rowPart
                 ? pass.rowPart +
                       (int64_t(headInPass) * pass.keyBlocks + keyBlock) * kRowStats * int64_t(pass.queries) -
                       pass.query0
                 : nullptr;
    t.poolColumns = pass.poolColumns;
    t.poolsHere = min(kKeyBlock / 64, t.poolColumns - keyBlock * (kKeyBlock / 64));
    const int64_t tileRows = (p.tq + 63) / 64;
    const int64_t cell = headInPass * tileRows * t.poolColumns + keyBlock * (kKeyBlock / 64);
    t.poolSum = pass.poolSum ? pass.poolSum + cell : nullptr;
    t.poolMax = pass.poolMax ? pass.poolMax + cell : nullptr;
    return t;
}

/// Joins what the warps left in shared memory and writes it; called by all threads after a barrier.
template <FastMode Mode, int Groups, int PoolWarps>
__device__ __forceinline__ void writeTile(const TileParts<Groups, PoolWarps>& parts, const TileTarget& target,
                                          int tile, const FastPass& pass, int thread, int threads) {
    const int tq = pass.problem.tq;
    const int64_t stride = pass.queries;
    const int row = thread & 63, query = tile * kQueryTile + row;
    if (target.rows && query < tq) {
        if constexpr (Mode == FastMode::Lse) {
            if (thread < kQueryTile) {
                float max = parts.rows[0][0][row], sum = parts.rows[1][0][row];
#pragma unroll
                for (int g = 1; g < Groups; ++g)
                    joinNormaliser(max, sum, parts.rows[0][g][row], parts.rows[1][g][row]);
                target.rows[query] = max;
                target.rows[stride + query] = sum;
            }
        } else {
            for (int stat = thread >> 6; stat < kRowStats; stat += threads >> 6) {
                float total = parts.rows[stat][0][row];
#pragma unroll
                for (int g = 1; g < Groups; ++g) {
                    const float other = parts.rows[stat][g][row];
                    total = stat == 0 ? __int_as_float(max(asInt(total), asInt(other))) : total + other;
                }
                target.rows[stat * stride + query] = total;
            }
        }
    }
    if constexpr (Mode != FastMode::Lse) {
        const int pool = thread - (threads - 32);
        if (pool >= 0 && pool < target.poolsHere && target.poolSum) {
            float sum = 0.f;
            int max = 0;
#pragma unroll
            for (int w = 0; w < PoolWarps; ++w) {
                sum += parts.poolSum[w][pool];
                max = ::max(max, parts.poolMax[w][pool]);
            }
            target.poolSum[int64_t(tile) * target.poolColumns + pool] = sum;
            if (target.poolMax)
                target.poolMax[int64_t(tile) * target.poolColumns + pool] = __int_as_float(max);
        }
    }
}

__device__ __forceinline__ const float* weightOf(const FastPass& pass, int head, int query) {
    const int heads = pass.problem.qHeads;
    return pass.weights + head / heads * pass.weightStrideB + head % heads * pass.weightStrideH +
           query * pass.weightStrideQ;
}

/// Weights of two queries eight apart; 0 beyond the last.
__device__ __forceinline__ void readWeights(const FastPass& pass, int head, int query, float (&weight)[2]) {
#pragma unroll
    for (int r = 0; r < 2; ++r)
        weight[r] = query + r * 8 < pass.problem.tq ? __ldg(weightOf(pass, head, query + r * 8)) : 0.f;
}

/// The results of one column of this pass.
template <class T>
__device__ __forceinline__ void writeColumn(const FastPass& pass, const Output& out, int b, int h, int slice,
                                            int key, T value) {
    if (out.data)
        static_cast<T*>(
            out.data)[b * out.strideB + h * out.strideH + (pass.slice0 + slice) * pass.colStrideSlice + key] =
            value;
}

/// The query tiles [first, last) of a slice that see any key of [key0, key1); spans rise with the query.
struct TileRange {
    int first, last;
};

/// The first query for which `high > key` (Low = false) or `low >= key` (Low = true); all lanes of a warp
/// take part.
template <bool Low>
__device__ inline int searchSpans(const Problem& p, int key, int lane) {
    int begin = 0, end = p.tq;
    while (begin < end) {
        const int step = (end - begin + 31) / 32;
        const int probe = min(begin + lane * step + step - 1, end - 1);
        const Span s = spanOf(p, probe);
        const unsigned hit = __ballot_sync(~0u, Low ? s.low >= key : s.high > key);
        if (!hit) return end;
        const int lead = __ffs(hit) - 1;
        end = min(begin + lead * step + step - 1, end - 1);
        begin = begin + lead * step;
        if (step == 1) return begin;
    }
    return begin;
}

struct QueryRange {
    int first, last;
};

__device__ inline TileRange tileRange(const Problem& p, QueryRange queries, int key0, int key1, int slice,
                                      int slices, int lane) {
    int first = queries.first, last = queries.last;
    if (p.spans) {
        first = max(first, searchSpans<false>(p, key0, lane));
        last = min(last, searchSpans<true>(p, key1, lane));
    }
    const int tile0 = first / kQueryTile, tile1 = (last + kQueryTile - 1) / kQueryTile;
    const int count = max(tile1 - tile0, 0);
    const int64_t share = slices;
    return {tile0 + int(count * int64_t(slice) / share), tile0 + int(count * int64_t(slice + 1) / share)};
}

/// Queries [from, to) that see every key of [key0, key1): tiles within need no mask.
struct FullQueries {
    int from, to;

    __device__ bool holds(int tile) const {
        return tile * kQueryTile >= from && (tile + 1) * kQueryTile <= to;
    }
};

__device__ inline FullQueries fullQueries(const Problem& p, int key0, int key1, bool hidden, int lane) {
    if (hidden || key1 > p.tk) return {0, 0};
    if (!p.spans) return {0, p.tq};
    return {searchSpans<false>(p, key1 - 1, lane), searchSpans<true>(p, key0 + 1, lane)};
}

}  // namespace fovea::kernels::cuda
