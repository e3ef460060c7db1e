// What the warps of the wgmma pass share: keys, a ring of pairs of query tiles, and what is found about them.
#pragma once

#include "cuda/device/mbarrier.cuh"
#include "cuda/device/tile_parts.cuh"
#include "cuda/device/wgmma.cuh"

namespace fovea::kernels::cuda {

constexpr int kCells = kKeyBlock / 64;       // groups of 64 keys, each with a warpgroup and statistics of its own
constexpr int kCountThreads = kCells * 128;  // of those warpgroups
constexpr int kSupplyThreads = 128;          // of the warpgroup that reads queries and writes results
constexpr int kLaneRow = kCells * 4 + 4;     // words between rows; rows then fall into different banks

/// Statistics of one query tile, as the lanes leave them for the threads that join and write them.
struct LaneParts {
    float rows[kRowStats][kQueryTile][kLaneRow];  // by cell and lane of the quad
};

/// Sizes in shared memory for heads of up to 64 SubTiles dimensions.
template <int SubTiles>
struct WgmmaShape {
    static constexpr int subTiles = SubTiles;
    static constexpr int keyBytes = kKeyBlock * 128, queryBytes = kQueryTile * 128;  // of 64 dimensions
    static constexpr int stage = subTiles * queryBytes;                              // one query tile
    static constexpr unsigned slots = subTiles == 1 ? 4 : 2;                         // pairs of query tiles under way
    static constexpr int queriesAt = subTiles * keyBytes;
    static constexpr int partsAt = queriesAt + slots * 2 * stage;
    static constexpr int negLseAt = partsAt + slots * 2 * int(sizeof(LaneParts));
    static constexpr int barriersAt = negLseAt + slots * 2 * kQueryTile * 4;
    static constexpr int visibleAt = barriersAt + slots * 16;
    static constexpr int sharesAt = visibleAt + kCountThreads * 4;  // [kShares][kKeyBlock], where they are wanted
    static constexpr int bytes = sharesAt + kShares * kKeyBlock * 4 + 1024;
};

/// The places of one thread block. Pair i of query tiles takes slot i % slots; `arrived` tells that its queries are
/// there, `done` that its statistics are.
template <int SubTiles>
struct WgmmaRing {
    using Shape = WgmmaShape<SubTiles>;
    char* memory;
    uint32_t address;  // of `memory`

    __device__ explicit WgmmaRing(char* raw) {
        address = (sharedAddress(raw) + 1023) & ~1023u;
        memory = raw + (address - sharedAddress(raw));
    }
    __device__ void init() const {
        for (unsigned slot = 0; slot < Shape::slots; ++slot) {
            barrierInit(arrived(slot), kSupplyThreads);
            barrierInit(done(slot), kCountThreads);
        }
    }
    __device__ uint32_t arrived(unsigned slot) const { return address + Shape::barriersAt + slot * 16; }
    __device__ uint32_t done(unsigned slot) const { return address + Shape::barriersAt + slot * 16 + 8; }
    /// The parity that a barrier has reached once the pair is through.
    __device__ static int turn(unsigned pair) { return int(pair / Shape::slots & 1); }

    __device__ uint32_t queries(unsigned slot) const { return address + Shape::queriesAt + slot * (2 * Shape::stage); }
    __device__ LaneParts* parts(unsigned slot) const {
        return reinterpret_cast<LaneParts*>(memory + Shape::partsAt) + slot * 2;
    }
    /// Weights of the queries, in the place of statistics of rows, of which a pass with weights has none.
    __device__ float* weights(unsigned slot) const { return parts(slot)->rows[0][0]; }
    __device__ float* negLse(unsigned slot) const {
        return reinterpret_cast<float*>(memory + Shape::negLseAt) + slot * (2 * kQueryTile);
    }
    __device__ uint32_t* visible() const { return reinterpret_cast<uint32_t*>(memory + Shape::visibleAt); }
    __device__ float* keyShares() const { return reinterpret_cast<float*>(memory + Shape::sharesAt); }
};

/// Rows [first, last) of one head.
struct RowsOfHead {
    int b, h, first, last;
};

/// Copies rows of queries or keys into swizzled sub-tiles of Count rows, 64 at a time: eight of Threads share a row.
template <int SubTiles, int Count, int Threads>
struct RowCopier {
    static constexpr int step = Threads / 8;

    const char* source;  // of this thread's first row and chunk, advanced by 64 rows with every copy
    uint32_t target;     // bytes from the start of a sub-tile to this thread's chunk
    int left, leftLast;  // rows from this thread's on; in the last sub-tile 0 for dimensions that do not exist

    __device__ RowCopier(const Operand& o, const RowsOfHead& rows, int d, int thread) {
        const int row = thread / 8, chunk = thread % 8;
        source = static_cast<const char*>(o.data) +
                 (rows.b * o.strideB + rows.h * o.strideH + (rows.first + row) * o.strideT + chunk * 8) * 2;
        target = swizzled(row, chunk);
        left = rows.last - rows.first - row;
        leftLast = (SubTiles - 1) * 64 + chunk * 8 < d ? left : 0;
    }

    /// Rows and dimensions that do not exist become 0.
    __device__ __forceinline__ void copy(const Operand& o, uint32_t shared) {
#pragma unroll
        for (int row = 0; row < 64; row += step) {
#pragma unroll
            for (int i = 0; i < SubTiles; ++i)
                copyAsync16(shared + target + row * 128 + i * (Count * 128), source + i * 128,
                            (i == SubTiles - 1 ? leftLast : left) > 0 ? 16 : 0);
            source += o.strideT * (step * 2);
            left -= step;
            leftLast -= step;
        }
    }
};

}  // namespace fovea::kernels::cuda
