// The forward pass with group factors. The row normaliser is known before, so a block of probabilities is
// exact at once: it is multiplied by its factors and then by the values, half types on the tensor cores.
#pragma once

#include "cuda/generic.h"
#include "cuda/owner_pass.cuh"

namespace fovea::kernels::cuda {

constexpr int kRenormalise = 2;
constexpr int kFactorRow = 33;

/// Factors of 64 queries; the last place is the factor 1 of keys without a group.
struct Factors {
    float factor[kEdge][kFactorRow];
    int group[kEdge];  // of the keys of this block
};

__device__ inline void fillFactors(Factors& f, const Problem& p, const ForwardOut& out, int head,
                                   int query0) {
    const int b = head / p.qHeads, h = head % p.qHeads;
    for (int i = threadIdx.x; i < kEdge * kFactorRow; i += kEngineThreads) {
        const int row = i / kFactorRow, group = i % kFactorRow;
        f.factor[row][group] = group < out.groups && query0 + row < p.tq
                                   ? out.factor[b * out.factorB + h * out.factorH +
                                                (query0 + row) * out.factorQ + group * out.factorG]
                                   : 1.f;
    }
}

__device__ inline void fillGroups(Factors& f, const Problem& p, const ForwardOut& out, int key0) {
    if (threadIdx.x >= kEdge) return;
    const int key = key0 + threadIdx.x, group = key < p.tk ? out.keyGroup[key] : -1;
    f.group[threadIdx.x] = group >= 0 && group < out.groups ? group : kFactorRow - 1;
}

__device__ __forceinline__ uint32_t packPair(Bfloat, float low, float high) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const uint32_t*>(&pair);
}
__device__ __forceinline__ uint32_t packPair(Half, float low, float high) {
    const __half2 pair = __floats2half2_rn(low, high);
    return *reinterpret_cast<const uint32_t*>(&pair);
}

/// sum += share [16, 64] of a warp times values [64, 8 N] in shared memory.
template <class Element, int N>
__device__ __forceinline__ void addValues(float (&sum)[N][4], const Fragment& share, const Element* values,
                                          int pitch, float* scratch) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    if constexpr (EngineShape<Element>::half) {
        const uint32_t address = sharedAddress(values + (lane % 16) * pitch + lane / 16 * 8);
#pragma unroll
        for (int k = 0; k < 4; ++k) {
            const float(&left)[4] = share[2 * k], (&right)[4] = share[2 * k + 1];
            const uint32_t a[4] = {
                packPair(Element(), left[0], left[1]), packPair(Element(), left[2], left[3]),
                packPair(Element(), right[0], right[1]), packPair(Element(), right[2], right[3])};
#pragma unroll
            for (int n = 0; n < N; n += 2) {
                uint32_t v[4];
                loadMatrix4Transposed(v, address + (k * 16 * pitch + n * 8) * 2);
                multiply<Element>(sum[n], a, v[0], v[1]);
                multiply<Element>(sum[n + 1], a, v[2], v[3]);
            }
        }
    } else {
        constexpr int scratchPitch = kEdge + 1;
        float* mine = scratch + warp * 16 * scratchPitch;
        __syncwarp();
#pragma unroll
        for (int n = 0; n < 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const Place at = placeOf(n, i);
                scratch[at.row * scratchPitch + at.column] = share[n][i];
            }
        __syncwarp();
        const float *upper = mine + lane / 4 * scratchPitch, *lower = upper + 8 * scratchPitch;
        for (int key = 0; key < kEdge; ++key) {
            const float a = upper[key], c = lower[key];
#pragma unroll
            for (int n = 0; n < N; ++n) {
                const float2 v =
                    *reinterpret_cast<const float2*>(values + key * pitch + n * 8 + lane % 4 * 2);
                sum[n][0] = fmaf(a, v.x, sum[n][0]);
                sum[n][1] = fmaf(a, v.y, sum[n][1]);
                sum[n][2] = fmaf(c, v.x, sum[n][2]);
                sum[n][3] = fmaf(c, v.y, sum[n][3]);
            }
        }
    }
}

/// Elements between value rows in shared memory, for values padded to 8 N.
template <class Element, int N>
constexpr int kValuePitch = N * 8 + (EngineShape<Element>::half ? 8 : 4);

template <class Element, int N>
__device__ void loadValues(Element* tile, const EngineRows<Element>& rows) {
    constexpr int pitch = kValuePitch<Element, N>, vector = 16 / sizeof(Element);
    const bool aligned = rows.d % vector == 0 && rows.stride % vector == 0 &&
                         (reinterpret_cast<uintptr_t>(rows.data) & 15) == 0;
    constexpr int width = N * 8;
    const int step = aligned ? vector : 1;
    for (int i = threadIdx.x * step; i < kEdge * width; i += kEngineThreads * step) {
        const int row = i / width, column = i % width, index = rows.index(row);
        const Element* source = rows.data + index * rows.stride + column;
        const bool inside = index >= 0 && column < rows.d;
        if (aligned)
            *reinterpret_cast<uint4*>(tile + row * pitch + column) =
                inside ? __ldg(reinterpret_cast<const uint4*>(source)) : uint4{0, 0, 0, 0};
        else
            tile[row * pitch + column] = inside ? *source : Element(0.f);
    }
}

template <class Element, int N>
struct ForwardShared {
    static int operands(int d) {
        const int products = 2 * EngineShape<Element>::tileBytes(d);
        const int values = kEdge * kValuePitch<Element, N> * int(sizeof(Element));
        return products > values ? products : values;
    }
    static int bytes(int d) {
        return operands(d) + (EngineShape<Element>::half ? 0 : kEdge * (kEdge + 1) * int(sizeof(float)));
    }
};

template <class Element, int N>
__global__ void __launch_bounds__(kEngineThreads, N <= 8 ? 3 : 2)
    forwardPass(const __grid_constant__ Problem p, const __grid_constant__ ForwardOut out,
                int scratchOffset) {
    extern __shared__ __align__(128) char memory[];
    __shared__ BlockInfo info;
    __shared__ Factors factors;
    auto* left = reinterpret_cast<Element*>(memory);
    auto* right = reinterpret_cast<Element*>(memory + EngineShape<Element>::tileBytes(p.d));
    auto* scratch = reinterpret_cast<float*>(memory + scratchOffset);
    const int query0 = blockIdx.x * kEdge, head = blockIdx.y, b = head / p.qHeads, h = head % p.qHeads;
    const TileRange range = meets<false>(p, query0);
    float sum[N][4] = {}, total[2] = {0.f, 0.f};
    fillQueries(info, p, head, query0, p.tq - query0, nullptr);
    if (out.edit) fillFactors(factors, p, out, head, query0);
    for (int block = range.first; block < range.last; ++block) {
        const int key0 = block * kEdge;
        __syncthreads();
        fillKeys(info, p, b, key0, p.tk - key0, nullptr);
        if (out.edit) fillGroups(factors, p, out, key0);
        Fragment share;
        blockProduct(share, engineRows<Element>(p.query, b, h, query0, p.tq, p.d),
                     engineRows<Element>(p.key, b, h / p.group, key0, p.tk, p.d), left, right, false);
        toLogits<false>(share, p, info, head);
#pragma unroll
        for (int n = 0; n < 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const Place at = placeOf(n, i);
                float value = probability<false>(share[n][i], info, n, i);
                if (out.edit) value *= factors.factor[at.row][factors.group[at.column]];
                total[i >> 1] += value;
                share[n][i] = value;
            }
        __syncthreads();
        loadValues<Element, N>(left, engineRows<Element>(p.value, b, h / p.group, key0, p.tk, p.dv));
        __syncthreads();
        addValues<Element, N>(sum, share, left, kValuePitch<Element, N>, scratch);
    }
    auto* target = static_cast<Element*>(out.out) + b * out.outB + h * out.outH;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        const float all = joinSum(total[r]);
        const float factor = out.edit != kRenormalise ? 1.f : all == 0.f ? 0.f : 1.f / all;
        const int query = query0 + placeOf(0, 0).row + r * 8;
        if (query >= p.tq) continue;
#pragma unroll
        for (int n = 0; n < N; ++n)
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                const int column = placeOf(n, e).column;
                if (column < p.dv) target[query * out.outT + column] = Element(sum[n][2 * r + e] * factor);
            }
    }
}

template <class Element, int N>
cudaError_t launchForward(const Problem& p, const ForwardOut& out, cudaStream_t stream) {
    const int bytes = ForwardShared<Element, N>::bytes(p.d);
    auto* kernel = forwardPass<Element, N>;
    const cudaError_t error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (error != cudaSuccess) return error;
    const dim3 grid((p.tq + kEdge - 1) / kEdge, p.batch * p.qHeads);
    kernel<<<grid, kEngineThreads, bytes, stream>>>(p, out, ForwardShared<Element, N>::operands(p.d));
    return cudaGetLastError();
}

template <class Element>
cudaError_t launchForwardOf(const Problem& p, const ForwardOut& out, cudaStream_t stream) {
    if (p.dv <= 64) return launchForward<Element, 8>(p, out, stream);
    if (p.dv <= 128) return launchForward<Element, 16>(p, out, stream);
    return launchForward<Element, 32>(p, out, stream);
}

}  // namespace fovea::kernels::cuda
