// The fast pass on wgmma (sm_90a): two warpgroups hold 128 keys each in shared memory, read the same query tiles, and
// turn one tile into statistics while the matrix unit works on the next.
#pragma once

#include "cuda/device/tile_parts.cuh"
#include "cuda/device/wgmma.cuh"

namespace fovea::kernels::cuda {

/// What the warps leave for the threads that write a tile.
struct WgmmaParts {
    float rows[kRowStats][kQueryTile][2];  // per warpgroup
    float poolSum[kKeyBlock / 64][4];      // per warp of the warpgroup that holds the cell
    int poolMax[kKeyBlock / 64][4];
};

template <int Steps>
struct WgmmaShape {
    static constexpr int subTiles = (Steps + 3) / 4, stages = 4, threads = 256;
    static constexpr int keyBytes = kKeyBlock * 128, queryBytes = kQueryTile * 128;  // of one sub-tile of 64 dimensions
    static constexpr int stage = subTiles * queryBytes;
    static constexpr int bytes = subTiles * keyBytes + stages * stage + 2 * int(sizeof(WgmmaParts)) + 1024;
};

/// Copies rows of queries or keys into swizzled sub-tiles of Count rows, 64 at a time: four threads share a row. What
/// follows from the thread's number is computed anew, for registers are short.
template <int Steps, int Count>
struct RowCopier {
    const char* source;  // of this thread's row and first chunk, advanced by 64 rows with every copy

    __device__ RowCopier(const Operand& o, int b, int h, int row0, int thread)
        : source(static_cast<const char*>(o.data) +
                 (b * o.strideB + h * o.strideH + (row0 + thread / 4) * o.strideT + thread % 4 * 8) * 2) {}

    /// Of the 64 rows `rows` exist; those and the dimensions that do not become 0.
    __device__ __forceinline__ void copy(const Operand& o, uint32_t shared, int rows, int d) {
        const int thread = opaque(threadIdx.x), row = thread / 4, chunk = thread % 4;
        const uint32_t target = shared + swizzled(row, chunk);
#pragma unroll
        for (int i = 0; i < Steps / 2; ++i) {
            const uint32_t to = (target ^ (i % 2 * 64)) + i / 2 * (Count * 128);
            copyAsync16(to, source + i * 64, row < rows && i * 32 + chunk * 8 < d ? 16 : 0);
        }
        source += o.strideT * (kQueryTile * 2);
    }
};

/// Writes the row statistics and pooled cells of one tile after another; every thread has one number of each tile.
template <FastMode Mode>
struct TileWriter {
    float* target;  // null: nothing to do

    /// Statistic of a row, or 3 for the sum and 4 for the maximum of a cell.
    __device__ static int numberOf(int thread) { return thread < 192 ? thread / 64 : kRowStats + thread % 64 / 4; }
    __device__ static int placeOf(int thread) { return thread < 192 ? thread % 64 : thread % 4; }

    __device__ TileWriter(const FastPass& pass, int keyBlock, int firstTile, int thread) : target(nullptr) {
        const TileTarget t = targetOf(pass, blockIdx.x, keyBlock);
        const int number = numberOf(thread), place = placeOf(thread);
        if (number < kRowStats) {
            if (t.rows && (Mode != FastMode::Lse || number == 0))
                target = t.rows + int64_t(number) * pass.problem.tq + firstTile * kQueryTile + place;
        } else {
            float* map = number == 3 ? t.poolSum : number == 4 ? t.poolMax : nullptr;
            if (map && place < t.poolsHere) target = map + int64_t(firstTile) * t.poolColumns + place;
        }
    }

    /// Of the 64 queries of the tile `rows` exist.
    __device__ __forceinline__ void write(const WgmmaParts& parts, int rows, const Problem& p) {
        if (!target) return;
        const int thread = opaque(threadIdx.x), number = numberOf(thread), place = placeOf(thread);
        if (number >= kRowStats) {
            if (number == kRowStats) {
                const float4 v = *reinterpret_cast<const float4*>(parts.poolSum[place]);
                target[0] = (v.x + v.y) + (v.z + v.w);
            } else {
                const int4 v = *reinterpret_cast<const int4*>(parts.poolMax[place]);
                target[0] = __int_as_float(max(max(v.x, v.y), max(v.z, v.w)));
            }
            target += (p.tk + 63) / 64;
        } else {
            const float2 v = *reinterpret_cast<const float2*>(parts.rows[number][place]);
            if (place < rows) {
                if constexpr (Mode == FastMode::Lse) {
                    const float2 sums = *reinterpret_cast<const float2*>(parts.rows[1][place]);
                    float max = v.x, sum = sums.x;
                    joinNormaliser(max, sum, v.y, sums.y);
                    target[0] = max;
                    target[p.tq] = sum;
                } else {
                    target[0] = number == 0 ? __int_as_float(max(asInt(v.x), asInt(v.y))) : v.x + v.y;
                }
            }
            target += kQueryTile;
        }
    }
};

/// Bits of the 32 keys of a lane that may be seen.
__device__ inline uint32_t visibleKeys(const Problem& p, int b, int first) {
    if (!p.keyVisible) return ~0u;
    uint32_t bits = 0;
#pragma unroll 1
    for (int bit = 0; bit < 32; ++bit) {
        const int key = first + bit / 2 * 8 + bit % 2;
        if (key < p.tk && p.keyVisible[b * p.keyVisibleStride + key]) bits |= 1u << bit;
    }
    return bits;
}

/// Joins the columns of the four warps of each warpgroup and writes them.
__device__ inline void writeColumns(Columns<8, false> (&columns)[2], char* memory, const FastPass& pass, int b, int h, int slice,
                                    int blockKey) {
    const int thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
    auto* sums = reinterpret_cast<float*>(memory);  // [8 warps][128 keys]
    auto* maxima = reinterpret_cast<int*>(memory) + 8 * 128;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        foldColumns(columns[half]);
        if (lane / 4 != 0) continue;
#pragma unroll
        for (int n = 0; n < 8; ++n)
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                sums[warp * 128 + half * 64 + n * 8 + lane * 2 + e] = columns[half].sum[n][e];
                maxima[warp * 128 + half * 64 + n * 8 + lane * 2 + e] = columns[half].max[n][e];
            }
    }
    __syncthreads();
    const int key = blockKey + thread, first = thread / 128 * 4 * 128 + thread % 128;
    if (key >= pass.problem.tk) return;
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

template <class Element, int Steps, FastMode Mode>
__global__ void __launch_bounds__(WgmmaShape<Steps>::threads, 1) statsWgmma(const __grid_constant__ FastPass pass) {
    using Shape = WgmmaShape<Steps>;
    extern __shared__ char raw[];
    const uint32_t aligned = (sharedAddress(raw) + 1023) & ~1023u;
    char* memory = raw + (aligned - sharedAddress(raw));
    const uint32_t queryTiles = aligned + Shape::subTiles * Shape::keyBytes;
    auto* parts = reinterpret_cast<WgmmaParts*>(memory + Shape::subTiles * Shape::keyBytes + Shape::stages * Shape::stage);
    const Problem& p = pass.problem;
    const int thread = threadIdx.x, warp = thread / 32, lane = thread % 32, group = lane / 4, quad = lane % 4;
    const int side = warp / 4, rowsOfWarp = warp % 4 * 16;
    const int keyBlock = blockIdx.y / pass.slices, slice = blockIdx.y % pass.slices;
    const int head = pass.head0 + blockIdx.x, b = head / p.qHeads, h = head % p.qHeads;
    const int blockKey = keyBlock * kKeyBlock, key0 = blockKey + side * 128;

    RowCopier<Steps, kKeyBlock> keyCopier(p.key, b, h / p.group, blockKey, thread);
#pragma unroll 1
    for (int i = 0; i < kKeyBlock / 64; ++i)
        keyCopier.copy(p.key, aligned + i * 64 * 128, p.tk - blockKey - i * 64, p.d);
    const TileRange range = tileRange(p, blockKey, min(blockKey + kKeyBlock, p.tk), slice, pass.slices, lane);
    const int tiles = range.last - range.first;
    RowCopier<Steps, kQueryTile> queryCopier(p.query, b, h, range.first * kQueryTile, thread);
    const auto loadQueries = [&](int tile) {
        queryCopier.copy(p.query, queryTiles + tile % Shape::stages * Shape::stage,
                         p.tq - (range.first + tile) * kQueryTile, p.d);
        copyCommit();
    };
#pragma unroll 1
    for (int i = 0; i < Shape::stages - 1; ++i) loadQueries(i);

    const Keys keys{key0 + quad * 2, visibleKeys(p, b, key0 + quad * 2)};
    const bool hidden = __any_sync(~0u, keys.visible != ~0u);
    const FullQueries whole = fullQueries(p, key0, key0 + 128, hidden, lane);
    // Tiles, counted from the first, that need no mask.
    const int fullFrom = (whole.from + kQueryTile - 1) / kQueryTile - range.first;
    const int fullTo = min(whole.to / kQueryTile - range.first, tiles);
    TileWriter<Mode> writer(pass, keyBlock, range.first, thread);
    // Reads past the last query end in the padding that Setup leaves.
    const float* normaliser =
        p.negLse + int64_t(head) * p.tq + range.first * kQueryTile + rowsOfWarp + group;

    Columns<8, false> columns[2];
    if constexpr (Mode != FastMode::Lse) {
        columns[0].clear();
        columns[1].clear();
    }
    const uint64_t keyTiles = describeTile(aligned + side * 128 * 128);
    const uint32_t fragment = swizzled(rowsOfWarp + lane % 16, lane / 16);
    float left[8][4], right[8][4], ahead[2] = {0.f, 0.f};
    uint32_t q[Steps][4];
    const auto readQueries = [&](int tile) {
        const uint32_t address = queryTiles + tile % Shape::stages * Shape::stage + fragment;
#pragma unroll
        for (int s = 0; s < Steps; ++s) loadMatrix4(q[s], (address ^ (s % 4 * 32)) + s / 4 * Shape::queryBytes);
    };
    const auto multiplyHalf = [&](float(&acc)[8][4], int half) {
        holdAccumulators(acc);
        warpgroupArrive();
#pragma unroll
        for (int s = 0; s < Steps; ++s)
            warpgroupMultiply<Element>(acc, q[s],
                                       keyTiles + (s / 4 * Shape::keyBytes + s % 4 * 32 + half * 64 * 128) / 16, s > 0);
        warpgroupCommit();
    };
    const auto finishHalf = [&](float(&acc)[8][4]) {
        warpgroupWait<0>();
        holdAccumulators(acc);
    };
    const auto readNormaliser = [&] {
        if constexpr (Mode != FastMode::Lse) {
            ahead[0] = __ldg(normaliser);
            ahead[1] = __ldg(normaliser + 8);
            normaliser += kQueryTile;
        }
    };
    const auto writePools = [&](WgmmaParts& part, const RowSums<2>& sums) {
        if (pass.poolSum) {
            float cell = foldSum(sums.sum[0][0] + sums.sum[1][0], sums.sum[0][1] + sums.sum[1][1], lane & 1);
#pragma unroll
            for (int step = 2; step <= 16; step *= 2) cell += __shfl_xor_sync(~0u, cell, step);
            if (lane < 2) part.poolSum[side * 2 + lane][warp % 4] = cell;
        }
        if (pass.poolMax) {
            const int first = warpMax(max(sums.pool[0][0], sums.pool[1][0]));
            const int second = warpMax(max(sums.pool[0][1], sums.pool[1][1]));
            if (lane < 2) part.poolMax[side * 2 + lane][warp % 4] = lane ? second : first;
        }
    };
    const auto writeRows = [&](WgmmaParts& part, const RowTotals& totals) {
        if (quad >= 2) return;
        const int row = rowsOfWarp + quad * 8 + group;
        part.rows[0][row][side] = totals.max;
        part.rows[1][row][side] = totals.sum;
        if constexpr (Mode != FastMode::Lse) part.rows[2][row][side] = totals.entropy;
    };

    const auto write = [&](int tile) {
        writer.write(parts[tile & 1], p.tq - (range.first + tile) * kQueryTile, p);
    };

    // The matrix unit works on one half of the keys while the other half is turned into statistics. None of its
    // instructions is under way when the loop turns: the compiler would then run them one by one.
    if (tiles > 0) {
        readNormaliser();
        copyWait<Shape::stages - 2>();
        fenceForMatrixUnit();
        __syncthreads();
        readQueries(0);
        multiplyHalf(left, 0);
        finishHalf(left);
    }
#pragma unroll 1
    for (int tile = 0; tile < tiles; ++tile) {
        multiplyHalf(right, 1);
        WgmmaParts& part = parts[tile & 1];
        const bool full = tile >= fullFrom && tile < fullTo;
        const int query0 = (range.first + tile) * kQueryTile + rowsOfWarp + group;
        Rows rows{{ahead[0], ahead[1]}, {}};
        readNormaliser();
        if (!full) {
            rows.span[0] = spanOf(p, query0);
            rows.span[1] = spanOf(p, query0 + 8);
        }
        const Keys upper{keys.first + 64, keys.visible >> 16};
        RowSums<2> sums;
        RowTotals totals;
        if constexpr (Mode == FastMode::Lse) {
            totals = full ? normalise<8, false>(left, p.scale, rows, keys, lane)
                          : normalise<8, true>(left, p.scale, rows, keys, lane);
        } else {
            sums.clear();
            if (full) addFragment<0, false>(left, p.scale, rows, keys, query0, columns[0], sums);
            else addFragment<0, true>(left, p.scale, rows, keys, query0, columns[0], sums);
        }
        finishHalf(right);
        copyWait<Shape::stages - 3>();
        __syncthreads();
        readQueries(tile + 1);
        multiplyHalf(left, 0);
        loadQueries(tile + Shape::stages - 1);
        if (tile > 0) write(tile - 1);
        if constexpr (Mode == FastMode::Lse) {
            const RowTotals more = full ? normalise<8, false>(right, p.scale, rows, upper, lane)
                                        : normalise<8, true>(right, p.scale, rows, upper, lane);
            joinNormaliser(totals.max, totals.sum, more.max, more.sum);
        } else {
            if (full) addFragment<1, false>(right, p.scale, rows, upper, query0, columns[1], sums);
            else addFragment<1, true>(right, p.scale, rows, upper, query0, columns[1], sums);
            totals = foldRows(sums, lane);
            writePools(part, sums);
        }
        writeRows(part, totals);
        finishHalf(left);
    }
    copyWait<0>();
    __syncthreads();
    if (tiles > 0) write(tiles - 1);
    // The columns take the place of the keys, which are done with.
    if constexpr (Mode != FastMode::Lse) writeColumns(columns, memory, pass, b, h, slice, blockKey);
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
