// The fast pass on wgmma (sm_90a): four warpgroups look after 64 keys each in shared memory and read the same
// query tiles; while some multiply, others turn their product into statistics.
#pragma once

#include "cuda/device/mbarrier.cuh"
#include "cuda/device/tile_parts.cuh"
#include "cuda/device/wgmma.cuh"

namespace fovea::kernels::cuda {

constexpr int kCells = kKeyBlock / 64;  // groups of 64 keys, each with its own statistics
constexpr int kWgmmaThreads = kCells * 128;
/// Query tiles are read and written in pairs; two pairs are under way.
constexpr unsigned kRing = 4;
constexpr int kLaneRow = kCells * 4 + 4;  // words between rows; rows then fall into different banks

/// Statistics of one query tile, as the lanes leave them for the threads that join and write them.
struct LaneParts {
    float rows[kRowStats][kQueryTile][kLaneRow];  // by cell and lane of the quad
};

/// Sizes for heads of up to 64 SubTiles dimensions.
template <int SubTiles>
struct WgmmaShape {
    static constexpr int subTiles = SubTiles;
    static constexpr int keyBytes = kKeyBlock * 128,
                         queryBytes = kQueryTile * 128;  // of one sub-tile of 64 dimensions
    static constexpr int stage = subTiles * queryBytes;
    static constexpr int partsAt = subTiles * keyBytes + kRing * stage;
    static constexpr int barriersAt = partsAt + kRing * int(sizeof(LaneParts));
    static constexpr int visibleAt = barriersAt + 64;
    static constexpr int sharesAt = visibleAt + kWgmmaThreads * 4;  // [kShares][kKeyBlock], where they are wanted
    static constexpr int bytes = sharesAt + kShares * kKeyBlock * 4 + 1024;
};

/// Copies rows of queries or keys into swizzled sub-tiles of Count rows, 64 at a time: eight threads share a
/// row. What follows from the thread's number is computed anew, for registers are short.
template <int SubTiles, int Count>
struct RowCopier {
    const char* source;  // of this thread's row and first chunk, advanced by 64 rows with every copy

    __device__ RowCopier(const Operand& o, int b, int h, int row0, int thread)
        : source(static_cast<const char*>(o.data) +
                 (b * o.strideB + h * o.strideH + (row0 + thread / 8) * o.strideT + thread % 8 * 8) * 2) {}

    /// Of the 64 rows `rows` exist; those and the dimensions that do not become 0.
    __device__ __forceinline__ void copy(const Operand& o, uint32_t shared, int rows, int d) {
        const unsigned thread = opaque(threadIdx.x), chunk = thread % 8;
        const int row = thread / 8;
        const uint32_t target = shared + (thread * 16 ^ thread / 8 % 8 * 16);  // as swizzled(row, chunk)
#pragma unroll
        for (int i = 0; i < SubTiles; ++i)
            copyAsync16(target + i * (Count * 128), source + i * 128,
                        row < rows && i * 64 + int(chunk) * 8 < d ? 16 : 0);
        source += o.strideT * (kQueryTile * 2);
    }
};

/// Joins and writes the statistics of one tile after another. Warps 0 to 5 have a row and a statistic a lane,
/// warps 8 to 11 the sum and 12 to 15 the maximum of one pooled cell.
template <FastMode Mode>
struct TileWriter {
    float* target;  // null: nothing to do

    __device__ TileWriter(const FastPass& pass, int keyBlock, int firstTile, int thread) : target(nullptr) {
        const TileTarget t = targetOf(pass, blockIdx.x, keyBlock);
        const int number = thread / 64, cell = thread / 32 % 4;
        if (number < kRowStats) {
            if (t.rows && (Mode != FastMode::Lse || number == 0))
                target = t.rows + int64_t(number) * pass.queries + firstTile * kQueryTile + thread % 64;
        } else if (thread >= 256) {
            float* map = thread < 384 ? t.poolSum : t.poolMax;
            if (map && cell < t.poolsHere) target = map + int64_t(firstTile) * t.poolColumns + cell;
        }
    }

    /// Of the 64 queries of the tile `rows` exist.
    __device__ __forceinline__ void write(const LaneParts& parts, int rows, int queries, int poolColumns) {
        const unsigned thread = opaque(threadIdx.x);
        if (thread < 192) {
            if (int(thread % 64) < rows) writeRow(parts, thread / 64, thread % 64, queries);
            target += kQueryTile;
        } else {
            const unsigned lane = thread % 32, from = thread / 32 % 4 * 4;
            if (thread < 384) {
                const float sum =
                    warpSum(laneSum(parts.rows[1][lane] + from) + laneSum(parts.rows[1][lane + 32] + from));
                if (lane == 0) target[0] = sum;
            } else {
                const int max = warpMax(
                    ::max(laneMax(parts.rows[0][lane] + from), laneMax(parts.rows[0][lane + 32] + from)));
                if (lane == 0) target[0] = __int_as_float(max);
            }
            target += poolColumns;
        }
    }
    __device__ bool wanted() const { return target; }

private:
    __device__ static float laneSum(const float* quad) {
        const float4 v = *reinterpret_cast<const float4*>(quad);
        return (v.x + v.y) + (v.z + v.w);
    }
    __device__ static int laneMax(const float* quad) {
        const int4 v = *reinterpret_cast<const int4*>(quad);
        return max(max(v.x, v.y), max(v.z, v.w));
    }

    __device__ __forceinline__ void writeRow(const LaneParts& parts, unsigned number, unsigned row,
                                             int queries) {
        const float* lanes = parts.rows[number][row];
        if constexpr (Mode == FastMode::Lse) {
            const float* sums = parts.rows[1][row];
            float max = kHidden, sum = 0.f;
#pragma unroll
            for (int i = 0; i < kCells * 4; ++i) max = fmaxf(max, lanes[i]);
#pragma unroll
            for (int i = 0; i < kCells * 4; ++i) sum += sums[i] * exp2Fast(lanes[i] - max);
            target[0] = max;
            target[queries] = sum;
        } else if (number == 0) {
            target[0] = __int_as_float(
                max(max(laneMax(lanes), laneMax(lanes + 4)), max(laneMax(lanes + 8), laneMax(lanes + 12))));
        } else {
            target[0] = (laneSum(lanes) + laneSum(lanes + 4)) + (laneSum(lanes + 8) + laneSum(lanes + 12));
        }
    }
};

/// Joins the weighted sums of one tile after another into those of its cells: each warp takes some pairs of a cell and
/// a share of its keys.
struct ShareWriter {
    static constexpr int items = kCells * kShares, warps = kWgmmaThreads / 32;

    float* target;  // of the first cell of this key block in the tile
    const float* weights;
    int64_t toNext;
    int cells;
    bool maxima;

    __device__ ShareWriter(const FastPass& pass, int keyBlock, int firstTile) {
        const int64_t height = (pass.problem.tq + 63) / 64;
        target = pass.shares + ((blockIdx.x * height + firstTile) * pass.poolColumns + keyBlock * kCells) *
                                   (kShares * kShares);
        weights = pass.queryShares + int64_t(firstTile) * (kQueryTile * kShares);
        toNext = int64_t(pass.poolColumns) * (kShares * kShares);
        cells = min(kCells, pass.poolColumns - keyBlock * kCells);
        maxima = pass.maxima;
    }

    __device__ __forceinline__ void write(const LaneParts& parts) {
        const unsigned thread = opaque(threadIdx.x), lane = thread % 32;
#pragma unroll 1
        for (int item = thread / 32; item < items; item += warps) {
            const int cell = item / kShares, share = item % kShares;
            const float* upper = parts.rows[share][lane] + cell * 4;
            const float* lower = parts.rows[share][lane + 32] + cell * 4;
            const float4 a = *reinterpret_cast<const float4*>(upper), b = *reinterpret_cast<const float4*>(lower);
            const float first = maxima ? fmaxf(fmaxf(a.x, a.y), fmaxf(a.z, a.w)) : (a.x + a.y) + (a.z + a.w);
            const float second = maxima ? fmaxf(fmaxf(b.x, b.y), fmaxf(b.z, b.w)) : (b.x + b.y) + (b.z + b.w);
#pragma unroll
            for (int y = 0; y < kShares; ++y) {
                const float u = first * __ldg(weights + lane * kShares + y),
                            v = second * __ldg(weights + (lane + 32) * kShares + y);
                const float total =
                    maxima ? __int_as_float(warpMax(max(__float_as_int(u), __float_as_int(v)))) : warpSum(u + v);
                if (lane == 0 && cell < cells) target[cell * (kShares * kShares) + y * kShares + share] = total;
            }
        }
        target += toNext;
        weights += kQueryTile * kShares;
    }
};

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
    __syncthreads();
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

template <class Element, int SubTiles, FastMode Mode>
__global__ void __launch_bounds__(kWgmmaThreads, 1) statsWgmma(const __grid_constant__ FastPass pass) {
    using Shape = WgmmaShape<SubTiles>;
    constexpr bool hasColumns = Mode == FastMode::Stats || Mode == FastMode::Weighted;
    extern __shared__ char raw[];
    const uint32_t aligned = (sharedAddress(raw) + 1023) & ~1023u;
    char* memory = raw + (aligned - sharedAddress(raw));
    const uint32_t queryTiles = aligned + Shape::subTiles * Shape::keyBytes;
    auto* parts = reinterpret_cast<LaneParts*>(memory + Shape::partsAt);
    const auto arrived = [&](unsigned pair) { return aligned + Shape::barriersAt + pair % 2 * 8; };
    const auto done = [&](unsigned pair) { return aligned + Shape::barriersAt + (2 + pair % 2) * 8; };
    const auto phase = [](unsigned pair) { return int(pair / 2 & 1); };
    const Problem& p = pass.problem;
    const int thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
    const int keyBlock = pass.keyBlock0 + blockIdx.y / pass.slices, slice = blockIdx.y % pass.slices;
    const int head = pass.head0 + blockIdx.x, b = head / p.qHeads, h = head % p.qHeads;
    const int blockKey = keyBlock * kKeyBlock, key0 = blockKey + warp / 4 * 64;

    RowCopier<SubTiles, kKeyBlock> keyCopier(p.key, b, h / p.group, blockKey, thread);
#pragma unroll 1
    for (int i = 0; i < kKeyBlock / 64; ++i)
        keyCopier.copy(p.key, aligned + i * 64 * 128, p.tk - blockKey - i * 64, p.d);
    copyCommit();
    if (thread == 0)
        for (unsigned slot = 0; slot < 2; ++slot) {
            barrierInit(arrived(slot), kWgmmaThreads);
            barrierInit(done(slot), kWgmmaThreads / 32);
        }
    const TileRange range = tileRange(p, {pass.query0, pass.query0 + pass.queries}, blockKey,
                                      min(blockKey + kKeyBlock, p.tk), slice, pass.slices, lane);
    const int tiles = range.last - range.first;
    const uint32_t visible = visibleKeys(p, b, key0 + lane % 4 * 2);
    const bool hidden = __any_sync(~0u, visible != 0xffffu);
    auto* visibleOf = reinterpret_cast<uint32_t*>(memory + Shape::visibleAt);  // by thread
    visibleOf[thread] = visible;
    [[maybe_unused]] auto* keyShares = reinterpret_cast<float*>(memory + Shape::sharesAt);
    if constexpr (Mode == FastMode::Shares)
        for (int i = thread; i < kKeyBlock * kShares; i += kWgmmaThreads)
            keyShares[i % kShares * kKeyBlock + i / kShares] =
                blockKey + i / kShares < (p.tk + 63) / 64 * 64 ? pass.keyShares[int64_t(blockKey) * kShares + i] : 0.f;
    const FullQueries whole = fullQueries(p, key0, key0 + 64, hidden, lane);
    // Tiles, counted from the first, that need no mask.
    const int fullFrom = (whole.from + kQueryTile - 1) / kQueryTile - range.first;
    const int fullTo = min(whole.to / kQueryTile - range.first, tiles);
    copyWait<0>();
    fenceForMatrixUnit();
    __syncthreads();

    RowCopier<SubTiles, kQueryTile> queryCopier(p.query, b, h, range.first * kQueryTile, thread);
    const auto rowsLeft = [&](unsigned tile) { return p.tq - (range.first + int(tile)) * kQueryTile; };
    const auto loadPair = [&](unsigned pair) {
        if (int(pair) * 2 >= tiles) return;
        const uint32_t slot = queryTiles + pair % 2 * (2 * Shape::stage);
        queryCopier.copy(p.query, slot, rowsLeft(pair * 2), p.d);
        queryCopier.copy(p.query, slot + Shape::stage, rowsLeft(pair * 2 + 1), p.d);
        barrierArriveAfterCopies(arrived(pair));
    };
    loadPair(0);
    using Writer = std::conditional_t<Mode == FastMode::Shares, ShareWriter, TileWriter<Mode>>;
    Writer writer = [&] {
        if constexpr (Mode == FastMode::Shares)
            return Writer(pass, keyBlock, range.first);
        else
            return Writer(pass, keyBlock, range.first, thread);
    }();
    const auto write = [&](unsigned tile) {
        if constexpr (Mode == FastMode::Shares)
            writer.write(parts[tile % kRing]);
        else if (writer.wanted())
            writer.write(parts[tile % kRing], rowsLeft(tile), pass.queries, pass.poolColumns);
    };
    Columns<8, false> columns;
    if constexpr (hasColumns) columns.clear();

    // Multiplies one tile of queries with the keys of the warpgroup and turns the product into statistics.
    const auto count = [&](unsigned pair, auto half) {
        constexpr int second = decltype(half)::value;
        // What follows from the thread's number is computed anew in every turn: registers are short.
        const unsigned self = opaque(thread), row = self / 32 % 4 * 16 + self % 32 / 4;
        const uint32_t keyTiles = describeTile(aligned + self / 128 * (64 * 128));
        const uint32_t fragments = queryTiles + pair % 2 * (2 * Shape::stage) + self / 32 % 4 * (16 * 128) +
                                   self % 16 * 128 + ((self % 32 / 16 ^ self % 8) << 4);
        const int tile = int(pair) * 2 + second, query0 = (range.first + tile) * kQueryTile + int(row);
        // Reads past the last query end in the padding that Setup leaves.
        const float* normaliser = p.negLse + int64_t(head) * p.tq + query0;
        float* mine = &parts[pair % 2 * 2 + second].rows[0][row][self / 128 * 4 + self % 4];
        Rows rows;
        rows.negLse[0] = Mode != FastMode::Lse ? __ldg(normaliser) : 0.f;
        rows.negLse[1] = Mode != FastMode::Lse ? __ldg(normaliser + 8) : 0.f;
        float acc[8][4];
#pragma unroll
        for (int sub = 0; sub < SubTiles; ++sub) {  // one at a time, for registers are short
            uint32_t q[4][4];
#pragma unroll
            for (int s = 0; s < 4; ++s)
                loadMatrix4(q[s], (fragments ^ (s * 32)) + second * Shape::stage + sub * Shape::queryBytes);
            holdAccumulators(acc);
            warpgroupArrive();
#pragma unroll
            for (int s = 0; s < 4; ++s)
                warpgroupMultiply<Element>(acc, q[s], keyTiles + (sub * Shape::keyBytes + s * 32) / 16,
                                           sub + s > 0);
            warpgroupCommit();
            warpgroupWait<0>();
            holdAccumulators(acc);
        }
        Keys keys{blockKey + int(self / 128 * 64 + self % 4 * 2), 0xffffu};
        const bool full = tile >= fullFrom && tile < fullTo;
        if (!full) {
            keys.visible = visibleOf[self];
            rows.span[0] = tile < tiles ? spanOf(p, query0) : Span{0, 0};
            rows.span[1] = tile < tiles ? spanOf(p, query0 + 8) : Span{0, 0};
        }
        const auto leave = [&](int stat, float upper, float lower) {
            mine[stat * kQueryTile * kLaneRow] = upper;
            mine[(stat * kQueryTile + 8) * kLaneRow] = lower;
        };
        if constexpr (Mode == FastMode::Lse) {
            const LaneNormaliser n = full ? normaliseLane<8, false>(acc, p.scale, rows, keys)
                                          : normaliseLane<8, true>(acc, p.scale, rows, keys);
            leave(0, n.largest[0], n.largest[1]);
            leave(1, n.sum[0], n.sum[1]);
        } else {
            if (full)
                toLogs<false>(acc, p.scale, rows, keys);
            else
                toLogs<true>(acc, p.scale, rows, keys);
            if constexpr (Mode == FastMode::Weighted) {
                float weight[2];
                readWeights(pass, head, query0, weight);
                addWeighted(acc, weight, columns);
            } else if constexpr (Mode == FastMode::Shares) {
                float shares[kShares][2];
                addShares(acc, keyShares + self / 128 * 64 + self % 4 * 2, pass.maxima, shares);
#pragma unroll
                for (int s = 0; s < kShares; ++s) leave(s, shares[s][0], shares[s][1]);
            } else {
                RowSums sums;
                addFragment(acc, 0, columns, sums);
                leave(0, __int_as_float(sums.max[0]), __int_as_float(sums.max[1]));
                leave(1, sums.sum[0], sums.sum[1]);
                leave(2, sums.entropy[0], sums.entropy[1]);
            }
        }
    };
    // Four warpgroups are at different places of this loop, at most a tile apart: some multiply, others count.
#pragma unroll 1
    for (unsigned pair = 0; int(pair) * 2 < tiles; ++pair) {
        barrierWait(arrived(pair), phase(pair));
        count(pair, std::integral_constant<int, 0>());
        if (pair > 0) {  // everybody is through with the pair before: its places are free
            barrierWait(done(pair - 1), phase(pair - 1));
            write(pair * 2 - 2);
            write(pair * 2 - 1);
        }
        loadPair(pair + 1);
        count(pair, std::integral_constant<int, 1>());
        __syncwarp();
        if (thread % 32 == 0) barrierArrive(done(pair));
    }
    copyWait<0>();
    __syncthreads();
    if (tiles > 0) {
        if (tiles % 2 == 0) write(tiles - 2);
        write(tiles - 1);
    }
    // The columns take the place of the keys, which are done with.
    if constexpr (hasColumns) writeColumns(columns, memory, pass, b, h, slice, blockKey);
}

template <class Element, int SubTiles, FastMode Mode>
cudaError_t launchWgmma(const FastPass& pass, cudaStream_t stream) {
    auto* kernel = statsWgmma<Element, SubTiles, Mode>;
    constexpr int bytes = WgmmaShape<SubTiles>::bytes;
    const cudaError_t error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (error != cudaSuccess) return error;
    const dim3 grid(pass.heads, pass.keyBlocks * pass.slices);
    kernel<<<grid, kWgmmaThreads, bytes, stream>>>(pass);
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
