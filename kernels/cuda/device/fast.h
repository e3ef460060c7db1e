// The fast statistics pass: one thread block owns 256 keys of one head and reads all queries that see any of
// them.
#pragma once

#include "cuda/device/problem.h"

namespace fovea::kernels::cuda {

/// What one pass makes: the row normaliser only, the statistics, those with the query of every column's
/// maximum, column sums weighted by a number of each query, or the shares that pixels have in cells of 64 x 64 (on
/// wgmma only).
enum class FastMode { Lse, Stats, StatsArgmax, Weighted, Shares };

/// Launch arguments of a pass over the heads [head0, head0 + heads) of the flattened batch.
struct FastPass {
    Problem problem;
    int32_t head0, heads, keyBlocks, slices;
    // Queries [query0, query0 + queries) of this pass, query0 a multiple of 64; their slices are counted from
    // slice0.
    int32_t query0, queries, slice0;
    Output colSum, colMax, colArgmax;  // per head and key, or null
    int64_t colStrideSlice;            // elements between the parts of the slices
    const float* weights;              // of the queries, for FastMode::Weighted
    int64_t weightStrideB, weightStrideH, weightStrideQ;
    // Per head of this pass, key block and statistic: [heads, keyBlocks, 3, queries]; (max, sum, sum of p
    // log2 p), or for the normaliser (max of the logits, sum relative to it).
    float* rowPart;
    // Sums and maxima of 64 x 64 cells, [heads, ceil(tq / 64), ceil(tk / 64)]; tiles that nobody sees are not
    // written.
    float *poolSum, *poolMax;
    int32_t poolColumns;  // ceil(tk / 64)
    // For FastMode::Shares: the part of every query and key that lies in each of the kShares pixels from the first of
    // its cell on, [tokens up to the next 64, kShares], and the weighted sums (or maxima) of every cell, [heads,
    // ceil(tq / 64), ceil(tk / 64), kShares of queries, kShares of keys].
    const float *queryShares, *keyShares;
    float* shares;
    int32_t maxima;     // 1: maxima instead of sums
    int32_t keyBlock0;  // the first key block of this pass
};

/// Pixels that a cell of 64 tokens may be cut into.
constexpr int kShares = 3;

/// Statistics per row that a pass writes for each key block.
constexpr int kRowStats = 3;

}  // namespace fovea::kernels::cuda
