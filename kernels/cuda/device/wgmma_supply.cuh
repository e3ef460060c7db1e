// The warpgroup of the wgmma pass that reads queries and joins and writes what the others find about them.
#pragma once

#include "cuda/device/wgmma_ring.cuh"

namespace fovea::kernels::cuda {

/// Joins and writes the statistics of one pair of tiles after another: a thread has a row, a warp a pooled cell of both.
template <FastMode Mode>
struct PairWriter {
    float *row, *cell;  // null: not wanted
    int left;           // queries from this thread's on

    __device__ PairWriter(const FastPass& pass, int keyBlock, TileRange tiles, int thread) {
        const TileTarget t = targetOf(pass, blockIdx.x, keyBlock);
        row = t.rows ? t.rows + tiles.first * kQueryTile + thread : nullptr;
        cell = t.poolSum && thread / 32 < t.poolsHere
                   ? t.poolSum + int64_t(tiles.first) * t.poolColumns + thread / 32
                   : nullptr;
        left = min(pass.problem.tq - tiles.first * kQueryTile, (tiles.last - tiles.first) * kQueryTile) - thread;
    }

    __device__ __forceinline__ void write(const LaneParts* pair, const FastPass& pass, int thread) {
        if (row) {
            if (left > 0) writeRow(pair[thread / kQueryTile], thread % kQueryTile, pass.queries);
            row += 2 * kQueryTile;
        }
        if (cell) {
            writeCell(pair[0], thread, cell, pass);
            if (left + thread > kQueryTile) writeCell(pair[1], thread, cell + pass.poolColumns, pass);
            cell += 2 * pass.poolColumns;
        }
        left -= 2 * kQueryTile;
    }

private:
    __device__ static float laneSum(const float* quad) {
        const float4 v = *reinterpret_cast<const float4*>(quad);
        return (v.x + v.y) + (v.z + v.w);
    }
    __device__ static int laneMax(const float* quad) {
        const int4 v = *reinterpret_cast<const int4*>(quad);
        return max(max(v.x, v.y), max(v.z, v.w));
    }
    __device__ static float rowSum(const float* lanes) {
        return (laneSum(lanes) + laneSum(lanes + 4)) + (laneSum(lanes + 8) + laneSum(lanes + 12));
    }
    __device__ static int rowMax(const float* lanes) {
        return max(max(laneMax(lanes), laneMax(lanes + 4)), max(laneMax(lanes + 8), laneMax(lanes + 12)));
    }

    __device__ __forceinline__ void writeRow(const LaneParts& parts, int index, int queries) const {
        const float* lanes = parts.rows[0][index];
        const float* sums = parts.rows[1][index];
        if constexpr (Mode == FastMode::Lse) {
            float max = kHidden, sum = 0.f;
#pragma unroll
            for (int i = 0; i < kCells * 4; ++i) max = fmaxf(max, lanes[i]);
#pragma unroll
            for (int i = 0; i < kCells * 4; ++i) sum += sums[i] * exp2Fast(lanes[i] - max);
            row[0] = max;
            row[queries] = sum;
        } else {
            row[0] = __int_as_float(rowMax(lanes));
            row[queries] = rowSum(sums);
            row[2 * int64_t(queries)] = rowSum(parts.rows[2][index]);
        }
    }

    __device__ __forceinline__ static void writeCell(const LaneParts& parts, int thread, float* sum,
                                                     const FastPass& pass) {
        const int lane = thread % 32, from = thread / 32 * 4;
        const float total = warpSum(laneSum(parts.rows[1][lane] + from) + laneSum(parts.rows[1][lane + 32] + from));
        if (lane == 0) sum[0] = total;
        if (!pass.poolMax) return;
        const int max = warpMax(::max(laneMax(parts.rows[0][lane] + from), laneMax(parts.rows[0][lane + 32] + from)));
        if (lane == 0) pass.poolMax[sum - pass.poolSum] = __int_as_float(max);
    }
};

/// Joins the weighted sums of one pair of tiles after another into those of their cells: a warp has one cell of both.
struct ShareWriter {
    static constexpr int pairsOfPixels = kShares * kShares;

    float* target;         // of the warp's cell in the tile; null: it does not exist
    const float* weights;  // of this lane's queries
    int64_t toNext;
    int left;  // tiles
    bool maxima;

    __device__ ShareWriter(const FastPass& pass, int keyBlock, TileRange tiles, int thread) {
        const int64_t height = (pass.problem.tq + 63) / 64;
        const int cell = keyBlock * kCells + thread / 32;
        toNext = int64_t(pass.poolColumns) * pairsOfPixels;
        target = cell < pass.poolColumns
                     ? pass.shares + (blockIdx.x * height + tiles.first) * toNext + cell * pairsOfPixels
                     : nullptr;
        weights = pass.queryShares + (int64_t(tiles.first) * kQueryTile + thread % 32) * kShares;
        left = tiles.last - tiles.first;
        maxima = pass.maxima;
    }

    __device__ __forceinline__ void write(const LaneParts* pair, const FastPass&, int thread) {
        if (!target) return;
        writeTile(pair[0], thread);
        if (left > 1) writeTile(pair[1], thread);
        left -= 2;
    }

private:
    __device__ __forceinline__ float join(const float* quad) const {
        const float4 v = *reinterpret_cast<const float4*>(quad);
        return maxima ? fmaxf(fmaxf(v.x, v.y), fmaxf(v.z, v.w)) : (v.x + v.y) + (v.z + v.w);
    }

    __device__ __forceinline__ void writeTile(const LaneParts& parts, int thread) {
        const int lane = thread % 32, from = thread / 32 * 4;
        float upper[kShares], lower[kShares], total[pairsOfPixels];
#pragma unroll
        for (int share = 0; share < kShares; ++share) {
            upper[share] = join(parts.rows[share][lane] + from);
            lower[share] = join(parts.rows[share][lane + 32] + from);
        }
#pragma unroll
        for (int i = 0; i < pairsOfPixels; ++i) {
            const float u = upper[i % kShares] * __ldg(weights + i / kShares),
                        v = lower[i % kShares] * __ldg(weights + 32 * kShares + i / kShares);
            total[i] = maxima ? __int_as_float(warpMax(max(__float_as_int(u), __float_as_int(v)))) : warpSum(u + v);
        }
        if (lane == 0)
#pragma unroll
            for (int i = 0; i < pairsOfPixels; ++i) target[i] = total[i];
        target += toNext;
        weights += kQueryTile * kShares;
    }
};

/// Supplies the pairs of query tiles of `range` to the counting warpgroups, and writes what they leave.
template <int SubTiles, FastMode Mode>
__device__ __forceinline__ void supply(const WgmmaRing<SubTiles>& ring, const FastPass& pass, int keyBlock,
                                       const TileRange& range) {
    using Shape = WgmmaShape<SubTiles>;
    using Writer = std::conditional_t<Mode == FastMode::Shares, ShareWriter, PairWriter<Mode>>;
    const Problem& p = pass.problem;
    const int thread = threadIdx.x % kSupplyThreads, pairs = (range.last - range.first + 1) / 2;
    const int head = pass.head0 + blockIdx.x, first = range.first * kQueryTile;
    RowCopier<SubTiles, kQueryTile, kSupplyThreads> copier(p.query, {head / p.qHeads, head % p.qHeads, first, p.tq},
                                                           p.d, thread);
    // Reads past the last query end in the padding that Setup leaves.
    const float* negLse = p.negLse + int64_t(head) * p.tq + first + thread;
    int query = first + thread;
    const auto read = [&](unsigned slot) {
        copier.copy(p.query, ring.queries(slot));
        copier.copy(p.query, ring.queries(slot) + Shape::stage);
        if constexpr (Mode != FastMode::Lse) copyAsync4(sharedAddress(ring.negLse(slot) + thread), negLse, 4);
        if constexpr (Mode == FastMode::Weighted)
            copyAsync4(sharedAddress(ring.weights(slot) + thread), weightOf(pass, head, min(query, p.tq - 1)),
                       query < p.tq ? 4 : 0);
        negLse += 2 * kQueryTile;
        query += 2 * kQueryTile;
    };
    const auto settle = [] {
        copyCommit();
        copyWait<0>();
        fenceForMatrixUnit();
    };
    const unsigned ahead = min(pairs, int(Shape::slots));
    for (unsigned slot = 0; slot < ahead; ++slot) read(slot);
    settle();
    for (unsigned slot = 0; slot < ahead; ++slot) barrierArrive(ring.arrived(slot));
    Writer writer(pass, keyBlock, range, thread);
#pragma unroll 1
    for (unsigned pair = 0; int(pair) < pairs; ++pair) {
        const unsigned slot = pair % Shape::slots;
        barrierWait(ring.done(slot), ring.turn(pair));
        writer.write(ring.parts(slot), pass, thread);
        if (int(pair + Shape::slots) >= pairs) continue;
        read(slot);
        settle();
        barrierArrive(ring.arrived(slot));
    }
}

}  // namespace fovea::kernels::cuda
