// The fast pass on wgmma (sm_90a): four warpgroups look after 64 keys each in shared memory and read the same query
// tiles; while some multiply, others turn their product into statistics. A fifth reads the queries and writes results.
#pragma once

#include "cuda/device/wgmma_supply.cuh"

namespace fovea::kernels::cuda {

/// Adds the probabilities 2^t of a fragment, times the parts of their keys that lie in each pixel, to `shares`.
__device__ __forceinline__ void addShares(const float (&t)[8][4], const float* keyShares, bool maxima,
                                          float (&shares)[kShares][2]) {
#pragma unroll
    for (int s = 0; s < kShares; ++s) shares[s][0] = shares[s][1] = 0.f;
#pragma unroll
    for (int n = 0; n < 8; ++n) {
        float p[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) p[i] = exp2Fast(t[n][i]);
#pragma unroll
        for (int s = 0; s < kShares; ++s) {
            const float2 part = *reinterpret_cast<const float2*>(keyShares + s * kKeyBlock + n * 8);
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float weight = i & 1 ? part.y : part.x;
                float& share = shares[s][i >> 1];
                share = maxima ? fmaxf(share, p[i] * weight) : fmaf(p[i], weight, share);
            }
        }
    }
}

/// Bits of the 16 keys of a lane that may be seen.
__device__ inline uint32_t visibleKeys(const Problem& p, int b, int first) {
    if (!p.keyVisible) return 0xffffu;
    uint32_t bits = 0;
#pragma unroll 1
    for (int bit = 0; bit < 16; ++bit) {
        const int key = first + bit / 2 * 8 + bit % 2;
        if (key < p.tk && p.keyVisible[b * p.keyVisibleStride + key]) bits |= 1u << bit;
    }
    return bits;
}

/// Waits for the other counting warpgroups.
__device__ __forceinline__ void countersMeet() {
    asm volatile("bar.sync 1, %0;" ::"n"(kCountThreads) : "memory");
}

/// Joins the columns of the four warps of each warpgroup and writes them.
__device__ inline void writeColumns(Columns<8, false>& columns, char* memory, const FastPass& pass, int b,
                                    int h, int slice, int blockKey) {
    const int thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
    auto* sums = reinterpret_cast<float*>(memory);  // [16 warps][64 keys]
    auto* maxima = reinterpret_cast<int*>(memory) + 16 * 64;
    foldColumns(columns);
    if (lane / 4 == 0)
#pragma unroll
        for (int n = 0; n < 8; ++n)
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                sums[warp * 64 + n * 8 + lane * 2 + e] = columns.sum[n][e];
                maxima[warp * 64 + n * 8 + lane * 2 + e] = columns.max[n][e];
            }
    countersMeet();
    const int key = blockKey + thread, first = thread / 64 * 4 * 64 + thread % 64;
    if (thread >= kKeyBlock || key >= pass.problem.tk) return;
    float sum = 0.f;
    int max = 0;
#pragma unroll
    for (int w = 0; w < 4; ++w) {
        sum += sums[first + w * 64];
        max = ::max(max, maxima[first + w * 64]);
    }
    writeColumn(pass, pass.colSum, b, h, slice, key, sum);
    writeColumn(pass, pass.colMax, b, h, slice, key, __int_as_float(max));
}

/// The same number, which the compiler then knows to be that of the whole warp: it needs no register of each thread.
__device__ __forceinline__ int uniform(int x) {
    return __reduce_max_sync(~0u, x);
}

/// Reads the keys of this block and what is known of them into shared memory.
template <int SubTiles, FastMode Mode>
__device__ __forceinline__ void readKeys(const WgmmaRing<SubTiles>& ring, const FastPass& pass, int keyBlock,
                                         uint32_t visible) {
    const Problem& p = pass.problem;
    const int thread = threadIdx.x, head = pass.head0 + blockIdx.x, blockKey = keyBlock * kKeyBlock;
    RowCopier<SubTiles, kKeyBlock, kCountThreads> copier(
        p.key, {head / p.qHeads, head % p.qHeads / p.group, blockKey, p.tk}, p.d, thread);
#pragma unroll 1
    for (int i = 0; i < kCells; ++i) copier.copy(p.key, ring.address + i * 64 * 128);
    copyCommit();
    ring.visible()[thread] = visible;
    if constexpr (Mode == FastMode::Shares)
        for (int i = thread; i < kKeyBlock * kShares; i += kCountThreads)
            ring.keyShares()[i % kShares * kKeyBlock + i / kShares] =
                blockKey + i / kShares < (p.tk + 63) / 64 * 64 ? pass.keyShares[int64_t(blockKey) * kShares + i] : 0.f;
    copyWait<0>();
    fenceForMatrixUnit();
    countersMeet();
}

/// Multiplies the query tiles of `range` with the keys of this warpgroup and turns the products into statistics.
template <class Element, int SubTiles, FastMode Mode>
__device__ __forceinline__ void countTiles(const WgmmaRing<SubTiles>& ring, const FastPass& pass, int keyBlock,
                                           const TileRange& range, Columns<8, false>& columns) {
    using Shape = WgmmaShape<SubTiles>;
    const Problem& p = pass.problem;
    const int thread = threadIdx.x, warp = thread / 32, lane = thread % 32,
              b = (pass.head0 + blockIdx.x) / p.qHeads;
    const int blockKey = keyBlock * kKeyBlock, key0 = blockKey + warp / 4 * 64, row = warp % 4 * 16 + lane / 4;
    const uint32_t visible = visibleKeys(p, b, key0 + lane % 4 * 2);
    const FullQueries whole = fullQueries(p, key0, key0 + 64, __any_sync(~0u, visible != 0xffffu), lane);
    const int firstTile = uniform(range.first), tiles = uniform(range.last - range.first);
    // Tiles, counted from the first, that need no mask.
    const int fullFrom = uniform((whole.from + kQueryTile - 1) / kQueryTile - firstTile);
    const unsigned fullCount = uniform(max(min(whole.to / kQueryTile - firstTile, tiles) - fullFrom, 0));
    readKeys<SubTiles, Mode>(ring, pass, keyBlock, visible);

    const uint32_t keyTiles = describeTile(ring.address + uniform(warp / 4) * (64 * 128));
    const uint32_t queryTiles = describeTile(ring.queries(0));
    float* const mine = &ring.parts(0)->rows[0][row][warp / 4 * 4 + lane % 4];
    const float* const negLse = ring.negLse(0) + row;
    const auto count = [&](unsigned pair, auto half) {
        constexpr int second = decltype(half)::value;
        const unsigned slot = pair % Shape::slots;
        Rows rows;
        rows.negLse[0] = Mode != FastMode::Lse ? negLse[(slot * 2 + second) * kQueryTile] : 0.f;
        rows.negLse[1] = Mode != FastMode::Lse ? negLse[(slot * 2 + second) * kQueryTile + 8] : 0.f;
        float acc[8][4];
        const uint32_t tileOfQueries = queryTiles + (slot * 2 + second) * (Shape::stage / 16);
        holdAccumulators(acc);
        warpgroupArrive();
#pragma unroll
        for (int sub = 0; sub < SubTiles; ++sub)
#pragma unroll
            for (int s = 0; s < 4; ++s)
                warpgroupMultiply<Element>(acc, tileOfQueries + (sub * Shape::queryBytes + s * 32) / 16,
                                           keyTiles + (sub * Shape::keyBytes + s * 32) / 16, sub + s > 0);
        warpgroupCommit();
        warpgroupWait<0>();
        holdAccumulators(acc);
        const int tile = int(pair) * 2 + second;
        const bool full = unsigned(tile - fullFrom) < fullCount;
        Keys keys{0, 0xffffu};
        if (!full) {  // what follows from the thread's number is computed anew: registers are short
            const unsigned self = opaque(thread);
            const int query0 = (firstTile + tile) * kQueryTile + int(self / 32 % 4 * 16 + self % 32 / 4);
            keys = {blockKey + int(self / 128 * 64 + self % 4 * 2), ring.visible()[self]};
            rows.span[0] = tile < tiles ? spanOf(p, query0) : Span{0, 0};
            rows.span[1] = tile < tiles ? spanOf(p, query0 + 8) : Span{0, 0};
        }
        const auto leave = [&](int stat, float upper, float lower) {
            float* place = mine + (slot * 2 + second) * (sizeof(LaneParts) / 4);
            place[stat * kQueryTile * kLaneRow] = upper;
            place[(stat * kQueryTile + 8) * kLaneRow] = lower;
        };
        if constexpr (Mode == FastMode::Lse) {
            const LaneNormaliser n = full ? normaliseLane<8, false>(acc, p.scale, rows, keys)
                                          : normaliseLane<8, true>(acc, p.scale, rows, keys);
            leave(0, n.largest[0], n.largest[1]);
            leave(1, n.sum[0], n.sum[1]);
            return;
        }
        if (full)
            toLogs<false>(acc, p.scale, rows, keys);
        else
            toLogs<true>(acc, p.scale, rows, keys);
        if constexpr (Mode == FastMode::Weighted) {
            const float* weights = ring.weights(slot) + second * kQueryTile + row;
            addWeighted(acc, {weights[0], weights[8]}, columns);
        } else if constexpr (Mode == FastMode::Shares) {
            float shares[kShares][2];
            addShares(acc, ring.keyShares() + warp / 4 * 64 + lane % 4 * 2, pass.maxima, shares);
#pragma unroll
            for (int s = 0; s < kShares; ++s) leave(s, shares[s][0], shares[s][1]);
        } else if constexpr (Mode == FastMode::Stats) {
            RowSums sums;
            addFragment(acc, 0, columns, sums);
            leave(0, __int_as_float(sums.max[0]), __int_as_float(sums.max[1]));
            leave(1, sums.sum[0], sums.sum[1]);
            leave(2, sums.entropy[0], sums.entropy[1]);
        }
    };
#pragma unroll 1
    for (unsigned pair = 0; int(pair) * 2 < tiles; ++pair) {
        const unsigned slot = pair % Shape::slots;
        barrierWait(ring.arrived(slot), ring.turn(pair));
        count(pair, std::integral_constant<int, 0>());
        count(pair, std::integral_constant<int, 1>());
        barrierArrive(ring.done(slot));  // every lane for itself: one for its warp is a race to racecheck
    }
}

template <class Element, int SubTiles, FastMode Mode>
__global__ void __launch_bounds__(kCountThreads + kSupplyThreads, 1)
    statsWgmma(const __grid_constant__ FastPass pass) {
    extern __shared__ char raw[];
    const WgmmaRing<SubTiles> ring(raw);
    const Problem& p = pass.problem;
    const int thread = threadIdx.x, keyBlock = pass.keyBlock0 + blockIdx.y / pass.slices,
              slice = blockIdx.y % pass.slices, blockKey = keyBlock * kKeyBlock;
    if (thread == 0) ring.init();
    const TileRange range = tileRange(p, {pass.query0, pass.query0 + pass.queries}, blockKey,
                                      min(blockKey + kKeyBlock, p.tk), slice, pass.slices, thread % 32);
    __syncthreads();
    if (thread >= kCountThreads) {
        supply<SubTiles, Mode>(ring, pass, keyBlock, range);
    } else {
        Columns<8, false> columns;
        constexpr bool hasColumns = Mode == FastMode::Stats || Mode == FastMode::Weighted;
        if constexpr (hasColumns) columns.clear();
        countTiles<Element, SubTiles, Mode>(ring, pass, keyBlock, range, columns);
        if constexpr (hasColumns) {  // they take the place of the keys, which are done with
            const int head = pass.head0 + blockIdx.x;
            countersMeet();
            writeColumns(columns, ring.memory, pass, head / p.qHeads, head % p.qHeads, slice, blockKey);
        }
    }
}

template <class Element, int SubTiles, FastMode Mode>
cudaError_t launchWgmma(const FastPass& pass, cudaStream_t stream) {
    auto* kernel = statsWgmma<Element, SubTiles, Mode>;
    constexpr int bytes = WgmmaShape<SubTiles>::bytes;
    const cudaError_t error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (error != cudaSuccess) return error;
    const dim3 grid(pass.heads, pass.keyBlocks * pass.slices);
    kernel<<<grid, kCountThreads + kSupplyThreads, bytes, stream>>>(pass);
    return cudaGetLastError();
}

template <class Element, FastMode Mode>
cudaError_t launchWgmmaMode(const FastPass& pass, cudaStream_t stream) {
    if (pass.problem.d <= 64) return launchWgmma<Element, 1, Mode>(pass, stream);
    return launchWgmma<Element, 2, Mode>(pass, stream);
}

template <class Element>
cudaError_t launchWgmmaOf(FastMode mode, const FastPass& pass, cudaStream_t stream) {
    if (mode == FastMode::Weighted) return launchWgmmaMode<Element, FastMode::Weighted>(pass, stream);
    if (mode == FastMode::Lse) return launchWgmmaMode<Element, FastMode::Lse>(pass, stream);
    if (mode == FastMode::Shares) return launchWgmmaMode<Element, FastMode::Shares>(pass, stream);
    return launchWgmmaMode<Element, FastMode::Stats>(pass, stream);
}

}  // namespace fovea::kernels::cuda
