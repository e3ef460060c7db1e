// A pass in which each thread block owns 64 queries (or 64 keys) of a head and goes through everything they
// see; what it gathers is up to a sink. The sums of an owner are made in one fixed order, so the results do
// not vary.
#pragma once

#include "cuda/device/engine.cuh"
#include "cuda/device/tile_parts.cuh"

namespace fovea::kernels::cuda {

/// Launch arguments; with `joinHeads` a thread block goes through all heads of its batch entry.
template <class Arguments>
struct OwnerPass {
    Problem problem;
    int joinHeads;
    Arguments sink;
};

/// The blocks of 64 on the looped side that any owner of this block may meet.
template <bool KeysOwn>
__device__ inline TileRange meets(const Problem& p, int owner0) {
    const int lane = threadIdx.x % 32;
    if constexpr (KeysOwn) {
        return tileRange(p, {0, p.tq}, owner0, min(owner0 + kEdge, p.tk), 0, 1, lane);
    } else {
        const Span first = spanOf(p, owner0), last = spanOf(p, min(owner0 + kEdge, p.tq) - 1);
        return {first.low / kEdge, (last.high + kEdge - 1) / kEdge};
    }
}

template <class Element, bool KeysOwn, class Sink>
__global__ void __launch_bounds__(kEngineThreads, 4)
    ownerPass(const __grid_constant__ OwnerPass<typename Sink::Arguments> pass) {
    extern __shared__ __align__(128) char memory[];
    const Problem& p = pass.problem;
    auto* ownerTile = reinterpret_cast<Element*>(memory);
    auto* loopTile = reinterpret_cast<Element*>(memory + EngineShape<Element>::tileBytes(p.d));
    char* sinkMemory = memory + 2 * EngineShape<Element>::tileBytes(p.d);
    __shared__ BlockInfo info;
    const int owner0 = blockIdx.x * kEdge;
    const int head0 = pass.joinHeads ? blockIdx.y * p.qHeads : blockIdx.y;
    const int head1 = pass.joinHeads ? head0 + p.qHeads : head0 + 1;
    const TileRange range = meets<KeysOwn>(p, owner0);
    Sink sink(pass.sink, p, head0, owner0, sinkMemory);
    for (int head = head0; head < head1; ++head) {
        const int b = head / p.qHeads, h = head % p.qHeads;
        __syncthreads();
        const auto queries = [&](int first) { return engineRows<Element>(p.query, b, h, first, p.tq, p.d); };
        const auto keys = [&](int first) {
            return engineRows<Element>(p.key, b, h / p.group, first, p.tk, p.d);
        };
        const EngineRows<Element> owners = KeysOwn ? keys(owner0) : queries(owner0);
        if constexpr (KeysOwn)
            fillKeys(info, p, b, owner0, p.tk - owner0, nullptr);
        else
            fillQueries(info, p, head, owner0, p.tq - owner0, nullptr);
        for (int block = range.first; block < range.last; ++block) {
            const int loop0 = block * kEdge;
            __syncthreads();
            if constexpr (KeysOwn)
                fillQueries(info, p, head, loop0, p.tq - loop0, nullptr);
            else
                fillKeys(info, p, b, loop0, p.tk - loop0, nullptr);
            sink.prepare(head, loop0);
            Fragment t;
            blockProduct(t, owners, KeysOwn ? queries(loop0) : keys(loop0), ownerTile, loopTile,
                         block > range.first);
            toLogits<KeysOwn>(t, p, info, head);
            sink.add(t, info, loop0);
        }
    }
    sink.finish(info);
}

template <class Element, bool KeysOwn, class Sink>
cudaError_t launchOwner(const OwnerPass<typename Sink::Arguments>& pass, cudaStream_t stream) {
    const Problem& p = pass.problem;
    const int bytes = 2 * EngineShape<Element>::tileBytes(p.d) + Sink::sharedBytes(pass.sink);
    auto* kernel = ownerPass<Element, KeysOwn, Sink>;
    const cudaError_t error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (error != cudaSuccess) return error;
    const dim3 grid(((KeysOwn ? p.tk : p.tq) + kEdge - 1) / kEdge,
                    pass.joinHeads ? p.batch : p.batch * p.qHeads);
    kernel<<<grid, kEngineThreads, bytes, stream>>>(pass);
    return cudaGetLastError();
}

/// Chooses the kernel by the element type of the problem: 0 fp32, 1 f16, 2 bf16 as in fv_dtype.
template <bool KeysOwn, class Sink>
cudaError_t launchOwner(int dtype, const OwnerPass<typename Sink::Arguments>& pass, cudaStream_t stream) {
    if (dtype == 0) return launchOwner<float, KeysOwn, Sink>(pass, stream);
    if (dtype == 1) return launchOwner<Half, KeysOwn, Sink>(pass, stream);
    return launchOwner<Bfloat, KeysOwn, Sink>(pass, stream);
}

/// Joins a value with its index over the four lanes that share an owner: the largest, then the smallest
/// index.
__device__ __forceinline__ void joinBest(float& value, int& index) {
#pragma unroll
    for (int step = 1; step <= 2; step *= 2) {
        const float other = __shfl_xor_sync(~0u, value, step);
        const int otherIndex = __shfl_xor_sync(~0u, index, step);
        if (other > value || (other == value && unsigned(otherIndex) < unsigned(index))) {
            value = other;
            index = otherIndex;
        }
    }
}
__device__ __forceinline__ float joinSum(float x) {
    x += __shfl_xor_sync(~0u, x, 1);
    return x + __shfl_xor_sync(~0u, x, 2);
}

}  // namespace fovea::kernels::cuda
