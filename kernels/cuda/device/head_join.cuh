// Joining the heads of one block cell by cell, before anything is reduced or written.
#pragma once

#include "cuda/device/engine.cuh"

namespace fovea::kernels::cuda {

/// Flattened heads [first, last) that one thread block joins; `reduce` as in fv_head_reduce, 0 keeps them
/// apart.
struct HeadRange {
    int first, last;
};

__device__ __forceinline__ HeadRange headsOf(const Problem& p, int reduce, int index) {
    if (reduce == 0) return {index, index + 1};
    return {index * p.qHeads, (index + 1) * p.qHeads};
}

__device__ __forceinline__ void joinHead(Fragment& joined, const Fragment& share, int reduce, bool first) {
#pragma unroll
    for (int n = 0; n < 8; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            if (first)
                joined[n][i] = share[n][i];
            else if (reduce == 1)
                joined[n][i] += share[n][i];
            else if (reduce == 2)
                joined[n][i] = fmaxf(joined[n][i], share[n][i]);
            else
                joined[n][i] = fminf(joined[n][i], share[n][i]);
        }
}

__device__ __forceinline__ void finishJoin(Fragment& joined, int reduce, int heads) {
    if (reduce != 1) return;
    const float factor = 1.f / heads;
#pragma unroll
    for (int n = 0; n < 8; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) joined[n][i] *= factor;
}

}  // namespace fovea::kernels::cuda
