// Any 64 x 64 block of logits by one thread block of 128 threads: half types on the tensor cores, fp32 by
// fused multiply-adds, whatever the strides, masks, biases and head size. Warp w holds rows 16 w to 16 w + 15
// in the layout of fragment.cuh; the rows are queries, or keys when the pass owns keys.
#pragma once

#include "cuda/device/primitives.cuh"

namespace fovea::kernels::cuda {

constexpr int kEdge = 64;
constexpr int kEngineThreads = 128;

using Fragment = float[8][4];

template <class Element>
struct EngineShape {
    static constexpr bool half = sizeof(Element) == 2;
    /// Dimensions that lie in shared memory at a time.
    static constexpr int chunk = half ? 256 : 128;
    /// Elements between rows in shared memory; rows then fall into different banks.
    __host__ __device__ static constexpr int pitch(int d) {
        return half ? (d + 15) / 16 * 16 + 8 : (d + 31) / 32 * 32 + 4;
    }
    __host__ __device__ static constexpr int padded(int d) {
        return half ? (d + 15) / 16 * 16 : (d + 3) / 4 * 4;
    }
    __host__ __device__ static constexpr int tileBytes(int d) {
        return kEdge * pitch(d < chunk ? d : chunk) * int(sizeof(Element));
    }
};

/// Rows of one head: consecutive from `first`, or those that `list` names.
template <class Element>
struct EngineRows {
    const Element* data;
    int64_t stride;
    int first, count, d;  // count: rows after first that exist
    const int32_t* list;

    __device__ int index(int row) const {
        return row < count ? (list ? list[first + row] : first + row) : -1;
    }
    __device__ EngineRows part(int dim) const {
        return {data + dim, stride, first, count, min(EngineShape<Element>::chunk, d - dim), list};
    }
};

template <class Element>
__device__ __forceinline__ EngineRows<Element> engineRows(const Operand& o, int b, int h, int first,
                                                          int total, int d, const int32_t* list = nullptr) {
    return {static_cast<const Element*>(o.data) + b * o.strideB + h * o.strideH,
            o.strideT,
            first,
            min(kEdge, total - first),
            d,
            list};
}

/// Brings 64 rows into shared memory, zeros where there is nothing.
template <class Element>
__device__ void loadRows(Element* tile, const EngineRows<Element>& rows) {
    const int pitch = EngineShape<Element>::pitch(rows.d), padded = EngineShape<Element>::padded(rows.d);
    constexpr int vector = 16 / sizeof(Element);
    const bool aligned = rows.d % vector == 0 && rows.stride % vector == 0 &&
                         (reinterpret_cast<uintptr_t>(rows.data) & 15) == 0;
    const int perRow = aligned ? padded / vector : padded;
    for (int i = threadIdx.x; i < kEdge * perRow; i += kEngineThreads) {
        const int row = i / perRow, column = i % perRow, index = rows.index(row);
        if (aligned) {
            uint4 value = {0, 0, 0, 0};
            if (index >= 0 && column * vector < rows.d)
                value =
                    __ldg(reinterpret_cast<const uint4*>(rows.data + index * rows.stride + column * vector));
            *reinterpret_cast<uint4*>(tile + row * pitch + column * vector) = value;
        } else {
            tile[row * pitch + column] =
                index >= 0 && column < rows.d ? rows.data[index * rows.stride + column] : Element(0.f);
        }
    }
}

/// acc += rows of `a` times rows of `b`, both in shared memory.
template <class Element>
__device__ void multiplyTiles(Fragment& acc, const Element* a, const Element* b, int d) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int pitch = EngineShape<Element>::pitch(d), padded = EngineShape<Element>::padded(d);
    if constexpr (EngineShape<Element>::half) {
        const uint32_t aAddress = sharedAddress(a + (warp * 16 + lane % 16) * pitch + lane / 16 * 8);
        const uint32_t bAddress = sharedAddress(b + (lane % 8 + lane / 16 * 8) * pitch + lane / 8 % 2 * 8);
        for (int s = 0; s < padded; s += 16) {
            uint32_t left[4];
            loadMatrix4(left, aAddress + s * 2);
#pragma unroll
            for (int n = 0; n < 8; n += 2) {
                uint32_t right[4];
                loadMatrix4(right, bAddress + (n * 8 * pitch + s) * 2);
                multiply<Element>(acc[n], left, right[0], right[1]);
                multiply<Element>(acc[n + 1], left, right[2], right[3]);
            }
        }
    } else {
        const float* a0 = a + (warp * 16 + lane / 4) * pitch;
        const float* b0 = b + lane % 4 * 2 * pitch;
        for (int c = 0; c < padded; c += 4) {
            const float4 upper = *reinterpret_cast<const float4*>(a0 + c);
            const float4 lower = *reinterpret_cast<const float4*>(a0 + 8 * pitch + c);
#pragma unroll
            for (int n = 0; n < 8; ++n)
#pragma unroll
                for (int e = 0; e < 2; ++e) {
                    const float4 right = *reinterpret_cast<const float4*>(b0 + (n * 8 + e) * pitch + c);
                    acc[n][e] = fmaf(upper.x, right.x, fmaf(upper.y, right.y, acc[n][e]));
                    acc[n][e] = fmaf(upper.z, right.z, fmaf(upper.w, right.w, acc[n][e]));
                    acc[n][e + 2] = fmaf(lower.x, right.x, fmaf(lower.y, right.y, acc[n][e + 2]));
                    acc[n][e + 2] = fmaf(lower.z, right.z, fmaf(lower.w, right.w, acc[n][e + 2]));
                }
        }
    }
}

/// acc = rows of `a` times rows of `b` through the two tiles; the block has synchronised since the tiles were
/// last read. With `keepA` and few dimensions the first tile is taken as it is.
template <class Element>
__device__ void blockProduct(Fragment& acc, const EngineRows<Element>& a, const EngineRows<Element>& b,
                             Element* aTile, Element* bTile, bool keepA) {
#pragma unroll
    for (int n = 0; n < 8; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) acc[n][i] = 0.f;
    for (int dim = 0; dim < a.d; dim += EngineShape<Element>::chunk) {
        if (dim > 0) __syncthreads();
        if (!keepA || a.d > EngineShape<Element>::chunk) loadRows(aTile, a.part(dim));
        const EngineRows<Element> right = b.part(dim);
        loadRows(bTile, right);
        __syncthreads();
        multiplyTiles(acc, aTile, bTile, right.d);
    }
}

/// What a block knows of its queries and keys.
struct BlockInfo {
    Span span[kEdge];
    float negLse[kEdge];
    int query[kEdge], key[kEdge];  // -1: not there (or, for a key, hidden)
};

__device__ inline void fillQueries(BlockInfo& info, const Problem& p, int head, int first, int count,
                                   const int32_t* list) {
    const int i = threadIdx.x;
    if (i >= kEdge) return;
    const int query = i < count ? (list ? list[first + i] : first + i) : -1;
    info.query[i] = query;
    info.span[i] = query < 0 ? Span{0, 0} : spanOf(p, query);
    info.negLse[i] = query < 0 || !p.negLse ? 0.f : p.negLse[int64_t(head) * p.tq + query];
}

__device__ inline void fillKeys(BlockInfo& info, const Problem& p, int b, int first, int count,
                                const int32_t* list) {
    const int i = int(threadIdx.x) - kEdge;
    if (i < 0 || i >= kEdge) return;
    int key = i < count ? (list ? list[first + i] : first + i) : -1;
    if (key >= 0 && p.keyVisible && !p.keyVisible[b * p.keyVisibleStride + key]) key = -1;
    info.key[i] = key;
}

/// Where a lane's element lies within the block.
struct Place {
    int row, column;
};
__device__ __forceinline__ Place placeOf(int n, int i) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    return {warp * 16 + lane / 4 + (i >> 1) * 8, n * 8 + lane % 4 * 2 + (i & 1)};
}

/// Turns products into logits in base 2; kHidden where the query does not see the key.
template <bool KeysOwn>
__device__ void toLogits(Fragment& acc, const Problem& p, const BlockInfo& info, int head) {
    const int b = head / p.qHeads, h = head % p.qHeads;
#pragma unroll
    for (int n = 0; n < 8; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const Place at = placeOf(n, i);
            const int q = KeysOwn ? at.column : at.row, k = KeysOwn ? at.row : at.column;
            const int key = info.key[k];
            const Span span = info.span[q];
            float t = kHidden;
            if (key >= span.low && key < span.high) {
                t = p.softcap > 0.f ? p.softcap * tanhf(acc[n][i] * p.inverseCap) : acc[n][i] * p.scale;
                if (p.bias)
                    t = fmaf(p.bias[b * p.biasB + h * p.biasH + info.query[q] * p.biasQ + key * p.biasK],
                             1.44269504088896340f, t);
                if (t < kHidden) t = kHidden;
            }
            acc[n][i] = t;
        }
}

/// 2^(logit + normaliser): the probability of an element of toLogits.
template <bool KeysOwn>
__device__ __forceinline__ float probability(float logit, const BlockInfo& info, int n, int i) {
    const Place at = placeOf(n, i);
    return exp2Fast(logit + info.negLse[KeysOwn ? at.column : at.row]);
}

}  // namespace fovea::kernels::cuda
