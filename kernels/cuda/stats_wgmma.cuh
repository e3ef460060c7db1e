// The fast pass on wgmma (sm_90a): two warpgroups hold 128 keys each in shared memory, read the same query tiles, and
// turn one tile into statistics while the matrix unit works on the next.
#pragma once

#include "cuda/device/tile_parts.cuh"
#include "cuda/device/wgmma.cuh"

namespace fovea::kernels::cuda {

template <int Steps>
struct WgmmaShape {
    static constexpr int subTiles = (Steps + 3) / 4, stages = 4, threads = 256, N = 16;
    static constexpr int keyBytes = kKeyBlock * 128, queryBytes = kQueryTile * 128;  // of one sub-tile of 64 dimensions
    static constexpr int stage = subTiles * queryBytes;
    using Parts = TileParts<2, 4>;
    static constexpr int bytes = subTiles * keyBytes + stages * stage + 2 * int(sizeof(Parts)) + 1024;
};

/// Starts the copy of rows into swizzled sub-tiles; rows and dimensions that are not there become 0.
template <int Steps, int Count>
__device__ __forceinline__ void loadSwizzled(const char* data, int64_t stride, int rows, int d, uint32_t shared, int row0,
                                             int thread) {
    constexpr int chunks = Steps * 2, threads = WgmmaShape<Steps>::threads;
    thread = opaque(thread);
#pragma unroll 4
    for (int i = 0; i < Count * chunks / threads; ++i) {
        const int index = i * threads + thread, row = index / chunks, chunk = index % chunks;
        const bool inside = row0 + row < rows && chunk * 8 < d;
        const char* source = inside ? data + (row0 + row) * stride + chunk * 16 : data;
        copyAsync16(shared + chunk / 8 * (Count * 128) + swizzled(row, chunk % 8), source, inside ? 16 : 0);
    }
}

template <class Element, int Steps, FastMode Mode>
__global__ void __launch_bounds__(WgmmaShape<Steps>::threads, 1) statsWgmma(const __grid_constant__ FastPass pass) {
    using Shape = WgmmaShape<Steps>;
    constexpr int N = Shape::N, threads = Shape::threads;
    extern __shared__ char raw[];
    const uint32_t aligned = (sharedAddress(raw) + 1023) & ~1023u;
    char* memory = raw + (aligned - sharedAddress(raw));
    const uint32_t keyTile = aligned, queryTiles = aligned + Shape::subTiles * Shape::keyBytes;
    auto* parts = reinterpret_cast<typename Shape::Parts*>(memory + Shape::subTiles * Shape::keyBytes +
                                                           Shape::stages * Shape::stage);
    const Problem& p = pass.problem;
    const int thread = threadIdx.x, warp = thread / 32, lane = thread % 32, group = lane / 4, quad = lane % 4;
    const int side = warp / 4, rowsOfWarp = warp % 4 * 16;
    const int keyBlock = blockIdx.y / pass.slices, slice = blockIdx.y % pass.slices;
    const int head = pass.head0 + blockIdx.x, b = head / p.qHeads, h = head % p.qHeads;
    const int blockKey = keyBlock * kKeyBlock, key0 = blockKey + side * 128;

    const auto* keysOfHead =
        static_cast<const char*>(p.key.data) + (b * p.key.strideB + (h / p.group) * p.key.strideH) * 2;
    loadSwizzled<Steps, kKeyBlock>(keysOfHead, p.key.strideT * 2, p.tk, p.d, keyTile, blockKey, thread);
    const TileRange range = tileRange(p, blockKey, min(blockKey + kKeyBlock, p.tk), slice, pass.slices, lane);
    const auto loadQueries = [&](int tile) {
        if (tile < range.last) {
            const char* queries =
                static_cast<const char*>(p.query.data) + (b * p.query.strideB + h * p.query.strideH) * 2;
            loadSwizzled<Steps, kQueryTile>(queries, p.query.strideT * 2, p.tq, p.d,
                                            queryTiles + (tile - range.first) % Shape::stages * Shape::stage,
                                            tile * kQueryTile, thread);
        }
        copyCommit();
    };
#pragma unroll 1
    for (int i = 0; i < Shape::stages - 1; ++i) loadQueries(range.first + i);

    Keys keys{key0 + quad * 2, ~0u};
    bool hidden = false;
    if (p.keyVisible) {
        keys.visible = 0;
#pragma unroll 1
        for (int bit = 0; bit < 32; ++bit) {
            const int key = keys.first + bit / 2 * 8 + bit % 2;
            if (key < p.tk && p.keyVisible[b * p.keyVisibleStride + key]) keys.visible |= 1u << bit;
        }
        hidden = __any_sync(~0u, keys.visible != ~0u);
    }
    const FullQueries whole = fullQueries(p, key0, key0 + 128, hidden, lane);
    const auto normaliserOf = [&](int tile, float (&out)[2]) {
        const float* negLse = p.negLse + int64_t(opaque(head)) * p.tq;
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            const int query = tile * kQueryTile + rowsOfWarp + group + r * 8;
            out[r] = Mode != FastMode::Lse && query < p.tq ? __ldg(negLse + query) : 0.f;
        }
    };

    Columns<N, false> columns;
    if constexpr (Mode != FastMode::Lse) columns.clear();
    float even[N][4], odd[N][4], ahead[2] = {0.f, 0.f};
    const uint64_t keyTiles = describeTile(keyTile + side * 128 * 128);
    const auto multiplyTile = [&](float(&acc)[N][4], int tile) {
        const uint64_t queries = describeTile(queryTiles + (tile - range.first) % Shape::stages * Shape::stage);
        holdAccumulators(acc);
        warpgroupArrive();
#pragma unroll
        for (int s = 0; s < Steps; ++s)
            warpgroupMultiply<Element>(acc, queries + (s / 4 * Shape::queryBytes + s % 4 * 32) / 16,
                                       keyTiles + (s / 4 * Shape::keyBytes + s % 4 * 32) / 16, s > 0);
        warpgroupCommit();
    };
    const auto arrive = [&] {
        copyWait<Shape::stages - 3>();
        fenceForMatrixUnit();
        __syncthreads();
    };
    const auto gather = [&](float(&acc)[N][4], int tile) {
        Rows rows{{ahead[0], ahead[1]}, {}};
        if (tile + 1 < range.last) normaliserOf(tile + 1, ahead);
        const int query0 = tile * kQueryTile + rowsOfWarp + group;
        auto& part = parts[tile & 1];
        const bool full = whole.holds(tile);
        if (!full) {
            rows.span[0] = spanOf(p, query0);
            rows.span[1] = spanOf(p, query0 + 8);
        }
        RowTotals totals;
        if constexpr (Mode == FastMode::Lse) {
            totals = full ? normalise<N, false>(acc, p.scale, rows, keys, lane)
                          : normalise<N, true>(acc, p.scale, rows, keys, lane);
        } else {
            RowSums<2> sums;
            if (full) addFragment<N, 2, false, false>(acc, p.scale, rows, keys, query0, columns, sums);
            else addFragment<N, 2, true, false>(acc, p.scale, rows, keys, query0, columns, sums);
            totals = foldRows(sums, lane);
            if (pass.poolSum) {
                const bool upper = lane & 1;
                const float left = sums.sum[0][0] + sums.sum[1][0], right = sums.sum[0][1] + sums.sum[1][1];
                float cell = foldSum(left, right, upper);
#pragma unroll
                for (int step = 2; step <= 16; step *= 2) cell += __shfl_xor_sync(~0u, cell, step);
                const int leftMax = warpMax(max(sums.pool[0][0], sums.pool[1][0]));
                const int rightMax = warpMax(max(sums.pool[0][1], sums.pool[1][1]));
                if (lane < 2) {
                    part.poolSum[warp % 4][side * 2 + lane] = cell;
                    part.poolMax[warp % 4][side * 2 + lane] = upper ? rightMax : leftMax;
                }
            }
        }
        if (quad < 2) {
            const int row = rowsOfWarp + (quad & 1) * 8 + group;
            part.rows[0][side][row] = totals.max;
            part.rows[1][side][row] = totals.sum;
            if constexpr (Mode != FastMode::Lse) part.rows[2][side][row] = totals.entropy;
        }
    };
    const auto write = [&](int tile) {
        writeTile<Mode>(parts[tile & 1], targetOf(pass, opaque(blockIdx.x), keyBlock), tile, p.tq, thread, threads);
    };

    // While one accumulator is turned into statistics, the matrix unit fills the other.
    const auto turn = [&](float(&now)[N][4], float(&next)[N][4], int tile) {
        arrive();
        loadQueries(tile + Shape::stages - 1);
        if (tile + 1 < range.last) multiplyTile(next, tile + 1);
        if (tile > range.first) write(tile - 1);
        if (tile + 1 < range.last) warpgroupWait<1>();
        else warpgroupWait<0>();
        holdAccumulators(now);
        gather(now, tile);
    };
    if (range.first < range.last) {
        normaliserOf(range.first, ahead);
        arrive();
        multiplyTile(even, range.first);
#pragma unroll 1
        for (int tile = range.first; tile < range.last; tile += 2) {
            turn(even, odd, tile);
            if (tile + 1 < range.last) turn(odd, even, tile + 1);
        }
    }
    copyWait<0>();
    __syncthreads();
    if (range.first < range.last) write(range.last - 1);
    if constexpr (Mode != FastMode::Lse) {
        auto* sums = reinterpret_cast<float*>(memory);  // [8 warps][128 keys], over the keys, which are done with
        auto* maxima = reinterpret_cast<int*>(memory) + 8 * 128;
        foldColumns(columns);
        if (group == 0)
#pragma unroll
            for (int n = 0; n < N; ++n)
#pragma unroll
                for (int e = 0; e < 2; ++e) {
                    sums[warp * 128 + n * 8 + quad * 2 + e] = columns.sum[n][e];
                    maxima[warp * 128 + n * 8 + quad * 2 + e] = columns.max[n][e];
                }
        __syncthreads();
        const int key = blockKey + thread, first = thread / 128 * 4 * 128 + thread % 128;
        if (key < p.tk) {
            float sum = 0.f;
            int max = 0;
#pragma unroll
            for (int w = 0; w < 4; ++w) {
                sum += sums[first + w * 128];
                max = ::max(max, maxima[first + w * 128]);
            }
            writeColumn(pass, pass.colSum, b, h, slice, key, sum);
            writeColumn(pass, pass.colMax, b, h, slice, key, __int_as_float(max));
        }
    }
}

template <class Element, int Steps, FastMode Mode>
cudaError_t launchWgmma(const FastPass& pass, cudaStream_t stream) {
    auto* kernel = statsWgmma<Element, Steps, Mode>;
    constexpr int bytes = WgmmaShape<Steps>::bytes;
    const cudaError_t error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (error != cudaSuccess) return error;
    const dim3 grid(pass.heads, pass.keyBlocks * pass.slices);
    kernel<<<grid, WgmmaShape<Steps>::threads, bytes, stream>>>(pass);
    return cudaGetLastError();
}

template <class Element>
cudaError_t launchWgmmaOf(FastMode mode, const FastPass& pass, cudaStream_t stream) {
    const int d = pass.problem.d;
    if (mode == FastMode::Lse) {
        if (d <= 64) return launchWgmma<Element, 4, FastMode::Lse>(pass, stream);
        if (d <= 96) return launchWgmma<Element, 6, FastMode::Lse>(pass, stream);
        return launchWgmma<Element, 8, FastMode::Lse>(pass, stream);
    }
    if (d <= 64) return launchWgmma<Element, 4, FastMode::Stats>(pass, stream);
    if (d <= 96) return launchWgmma<Element, 6, FastMode::Stats>(pass, stream);
    return launchWgmma<Element, 8, FastMode::Stats>(pass, stream);
}

}  // namespace fovea::kernels::cuda
