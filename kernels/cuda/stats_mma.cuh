// The fast pass on mma.sync (sm_80 and later): keys stay in registers as the right operand, queries stream
// through shared memory by cp.async in two stages.
#pragma once

#include "cuda/device/tile_parts.cuh"

namespace fovea::kernels::cuda {

/// Sizes of the pass: head size D, Wide when a warp holds 64 keys and not 32 (the longest heads do not fit).
template <int D, bool Wide>
struct MmaShape {
    static constexpr int warpKeys = Wide ? 64 : 32;
    static constexpr int warps = kKeyBlock / warpKeys, threads = warps * 32;
    static constexpr int pitch = D + 8;  // elements; rows then fall into different banks
    static constexpr int stage = kQueryTile * pitch * 2;
    using Parts = TileParts<warps, warps / 4>;
    static constexpr int bytes = 2 * stage + 2 * int(sizeof(Parts));
};

template <int D, FastMode Mode>
constexpr bool kWide = D <= (Mode == FastMode::StatsArgmax ? 96 : 128);

/// The rows of one head of queries or keys.
struct HeadRows {
    const char* data;
    int64_t stride;  // bytes
    int count, d;
};

__device__ __forceinline__ HeadRows rowsOf(const Operand& o, int b, int h, int count, int d) {
    return {static_cast<const char*>(o.data) + (b * o.strideB + h * o.strideH) * 2, o.strideT * 2, count, d};
}

/// Starts the copy of 64 rows into shared memory; rows and dimensions that are not there become 0.
template <class Shape, int D>
__device__ __forceinline__ void loadTile(const HeadRows& rows, uint32_t shared, int row0, int thread) {
    constexpr int chunks = D / 8, threads = Shape::threads;
    thread = opaque(thread);
#pragma unroll 4
    for (int i = 0; i < kQueryTile * chunks / threads; ++i) {
        const int index = i * threads + thread, row = index / chunks, chunk = index % chunks;
        const bool inside = row0 + row < rows.count && chunk * 8 < rows.d;
        const char* source = inside ? rows.data + (row0 + row) * rows.stride + chunk * 16 : rows.data;
        copyAsync16(shared + (row * Shape::pitch + chunk * 8) * 2, source, inside ? 16 : 0);
    }
    copyCommit();
}

/// Brings this warp's keys into registers by way of the two stages.
template <class Shape, int D>
__device__ __forceinline__ void loadKeys(uint32_t (&k)[D / 16][Shape::warpKeys / 8][2], const HeadRows& rows,
                                         uint32_t shared, int blockKey, int warp, int lane, int thread) {
    const int mine = warp * Shape::warpKeys;
#pragma unroll 1
    for (int round = 0; round < kKeyBlock / 128; ++round) {
        loadTile<Shape, D>(rows, shared, blockKey + round * 128, thread);
        loadTile<Shape, D>(rows, shared + Shape::stage, blockKey + round * 128 + 64, thread);
        copyWait<0>();
        __syncthreads();
        if (mine / 128 == round) {
            const uint32_t address =
                shared + (mine % 128 / 64) * Shape::stage +
                ((mine % 64 + lane % 8 + lane / 16 * 8) * Shape::pitch + lane / 8 % 2 * 8) * 2;
#pragma unroll
            for (int n = 0; n < Shape::warpKeys / 8; n += 2)
#pragma unroll
                for (int s = 0; s < D / 16; ++s) {
                    uint32_t r[4];
                    loadMatrix4(r, address + (n * 8 * Shape::pitch + s * 16) * 2);
                    k[s][n][0] = r[0];
                    k[s][n][1] = r[1];
                    k[s][n + 1][0] = r[2];
                    k[s][n + 1][1] = r[3];
                }
        }
        __syncthreads();
    }
}

template <class Element, int D, FastMode Mode>
__global__ void __launch_bounds__(MmaShape<D, kWide<D, Mode>>::threads, kWide<D, Mode> ? 2 : 1)
    statsMma(const __grid_constant__ FastPass pass) {
    using Shape = MmaShape<D, kWide<D, Mode>>;
    constexpr int warps = Shape::warps, threads = Shape::threads, N = Shape::warpKeys / 8, steps = D / 16;
    constexpr bool argmax = Mode == FastMode::StatsArgmax;
    extern __shared__ __align__(128) char memory[];
    auto* parts = reinterpret_cast<typename Shape::Parts*>(memory + 2 * Shape::stage);
    const Problem& p = pass.problem;
    const int thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
    const int keyBlock = blockIdx.y / pass.slices, slice = blockIdx.y % pass.slices;
    const int head = pass.head0 + blockIdx.x, b = head / p.qHeads, h = head % p.qHeads;
    const int blockKey = keyBlock * kKeyBlock, key0 = blockKey + warp * Shape::warpKeys;
    const HeadRows queries = rowsOf(p.query, b, h, p.tq, p.d);
    const uint32_t shared = sharedAddress(memory);

    uint32_t k[steps][N][2];
    loadKeys<Shape, D>(k, rowsOf(p.key, b, h / p.group, p.tk, p.d), shared, blockKey, warp, lane, thread);
    Keys keys{key0 + lane % 4 * 2, ~0u};
    bool hidden = false;
    if (p.keyVisible) {
        keys.visible = 0;
        for (int n = 0; n < N; ++n)
            for (int e = 0; e < 2; ++e) {
                const int key = keys.first + n * 8 + e;
                if (key < p.tk && p.keyVisible[b * p.keyVisibleStride + key])
                    keys.visible |= 1u << (n * 2 + e);
            }
        hidden = __any_sync(~0u, keys.visible != (N == 16 ? ~0u : (1u << (2 * (N & 15))) - 1));
    }

    const TileRange range = tileRange(p, {pass.query0, pass.query0 + pass.queries}, blockKey,
                                      min(blockKey + kKeyBlock, p.tk), slice, pass.slices, lane);
    const FullQueries whole = fullQueries(p, key0, key0 + Shape::warpKeys, hidden, lane);
    Columns<N, argmax> columns;
    if constexpr (Mode != FastMode::Lse) columns.clear();
    if (range.first < range.last) loadTile<Shape, D>(queries, shared, range.first * kQueryTile, thread);

    for (int tile = range.first; tile < range.last; ++tile) {
        const int stage = (tile - range.first) & 1;
        copyWait<0>();
        __syncthreads();
        if (tile + 1 < range.last)
            loadTile<Shape, D>(queries, shared + (stage ^ 1) * Shape::stage, (tile + 1) * kQueryTile, thread);
        if (tile > range.first)
            writeTile<Mode>(parts[stage ^ 1], targetOf(pass, opaque(blockIdx.x), keyBlock), tile - 1, pass,
                            thread, threads);
        const float* negLse = p.negLse + int64_t(opaque(head)) * p.tq;
        const bool full = whole.holds(tile);
        float poolSum = 0.f;
        int poolMax = 0;
#pragma unroll 1
        for (int step = 0; step < kQueryTile / 16; ++step) {
            const int self = opaque(lane), group = self / 4, quad = self % 4;
            const int query0 = tile * kQueryTile + step * 16 + group;
            Rows rows;
#pragma unroll
            for (int r = 0; r < 2; ++r)
                rows.negLse[r] =
                    Mode != FastMode::Lse && query0 + r * 8 < p.tq ? __ldg(negLse + query0 + r * 8) : 0.f;
            float acc[N][4] = {};
            const uint32_t address =
                shared + stage * Shape::stage + ((step * 16 + self % 16) * Shape::pitch + self / 16 * 8) * 2;
#pragma unroll
            for (int s = 0; s < steps; ++s) {
                uint32_t q[4];
                loadMatrix4(q, address + s * 32);
#pragma unroll
                for (int n = 0; n < N; ++n) multiply<Element>(acc[n], q, k[s][n][0], k[s][n][1]);
            }
            RowTotals totals{};
            if constexpr (Mode == FastMode::Lse) {
                if (full) {
                    totals = foldNormaliser(normaliseLane<N, false>(acc, p.scale, rows, keys), lane & 1);
                } else {
                    rows.span[0] = spanOf(p, query0);
                    rows.span[1] = spanOf(p, query0 + 8);
                    totals = foldNormaliser(normaliseLane<N, true>(acc, p.scale, rows, keys), lane & 1);
                }
            } else {
                if (full) {
                    toLogs<false>(acc, p.scale, rows, keys);
                } else {
                    rows.span[0] = spanOf(p, query0);
                    rows.span[1] = spanOf(p, query0 + 8);
                    toLogs<true>(acc, p.scale, rows, keys);
                }
                if constexpr (Mode == FastMode::Weighted) {
                    float weight[2];
                    readWeights(pass, opaque(head), query0, weight);
                    addWeighted(acc, weight, columns);
                    continue;
                } else {
                    RowSums sums;
                    addFragment(acc, query0, columns, sums);
                    poolSum += sums.sum[0] + sums.sum[1];
                    poolMax = max3(poolMax, sums.max[0], sums.max[1]);
                    totals = foldRows(sums, lane & 1);
                }
            }
            if (quad < 2) {
                const int row = step * 16 + (quad & 1) * 8 + group;
                parts[stage].rows[0][warp][row] = totals.max;
                parts[stage].rows[1][warp][row] = totals.sum;
                if constexpr (Mode != FastMode::Lse) parts[stage].rows[2][warp][row] = totals.entropy;
            }
        }
        if constexpr (Mode == FastMode::Stats || Mode == FastMode::StatsArgmax) {
            poolSum = warpSum(poolSum);
            poolMax = warpMax(poolMax);
            if (lane == 0) {
                parts[stage].poolSum[warp % (warps / 4)][warp / (warps / 4)] = poolSum;
                parts[stage].poolMax[warp % (warps / 4)][warp / (warps / 4)] = poolMax;
            }
        }
    }
    __syncthreads();
    if (range.first < range.last)
        writeTile<Mode>(parts[(range.last - 1 - range.first) & 1], targetOf(pass, blockIdx.x, keyBlock),
                        range.last - 1, pass, thread, threads);
    if constexpr (Mode != FastMode::Lse) {
        foldColumns(columns);
        if (lane / 4 == 0)
#pragma unroll
            for (int n = 0; n < N; ++n)
#pragma unroll
                for (int e = 0; e < 2; ++e) {
                    const int key = keys.first + n * 8 + e;
                    if (key >= p.tk) continue;
                    writeColumn(pass, pass.colSum, b, h, slice, key, columns.sum[n][e]);
                    writeColumn(pass, pass.colMax, b, h, slice, key, __int_as_float(columns.max[n][e]));
                    if constexpr (argmax)
                        writeColumn(pass, pass.colArgmax, b, h, slice, key, columns.arg[n][e]);
                }
    }
}

template <class Element, int D, FastMode Mode>
cudaError_t launchMma(const FastPass& pass, cudaStream_t stream) {
    static_assert(D % 16 == 0 && D <= 256);
    using Shape = MmaShape<D, kWide<D, Mode>>;
    auto* kernel = statsMma<Element, D, Mode>;
    const cudaError_t error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Shape::bytes);
    if (error != cudaSuccess) return error;
    const dim3 grid(pass.heads, pass.keyBlocks * pass.slices);
    kernel<<<grid, Shape::threads, Shape::bytes, stream>>>(pass);
    return cudaGetLastError();
}

template <class Element, FastMode Mode>
cudaError_t launchMmaOf(const FastPass& pass, cudaStream_t stream) {
    const int d = pass.problem.d;
    if (d <= 32) return launchMma<Element, 32, Mode>(pass, stream);
    if (d <= 64) return launchMma<Element, 64, Mode>(pass, stream);
    if (d <= 96) return launchMma<Element, 96, Mode>(pass, stream);
    if (d <= 128) return launchMma<Element, 128, Mode>(pass, stream);
    return launchMma<Element, 256, Mode>(pass, stream);
}

template <class Element>
cudaError_t launchMmaOf(FastMode mode, const FastPass& pass, cudaStream_t stream) {
    switch (mode) {
        case FastMode::Lse:
            return launchMmaOf<Element, FastMode::Lse>(pass, stream);
        case FastMode::Stats:
            return launchMmaOf<Element, FastMode::Stats>(pass, stream);
        case FastMode::StatsArgmax:
            return launchMmaOf<Element, FastMode::StatsArgmax>(pass, stream);
        case FastMode::Weighted:
            return launchMmaOf<Element, FastMode::Weighted>(pass, stream);
        case FastMode::Shares:
            break;  // of the wgmma pass alone
    }
    return cudaErrorInvalidValue;
}

}  // namespace fovea::kernels::cuda
