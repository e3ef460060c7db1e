// The k largest entries of rows or columns, and the sums of rows over groups of keys.
#include "cuda/generic.h"
#include "cuda/owner_pass.cuh"

namespace fovea::kernels::cuda {
namespace {

constexpr int kLongestList = 64;
constexpr int kShareRow = kEdge + 1;
constexpr int kGroupRow = 33;

/// Keeps the best of each of 64 owners in shared memory; a warp looks after 16 of them.
template <bool KeysOwn>
struct TopkSink {
    using Arguments = TopkOut;
    struct Lists {
        float share[kEdge][kShareRow];  // logits of the current block
        float value[kEdge][kLongestList];
        int index[kEdge][kLongestList];
    };
    static int sharedBytes(const Arguments&) { return sizeof(Lists); }

    const Arguments& out;
    const Problem& p;
    int head, owner0;
    Lists& lists;

    __device__ TopkSink(const Arguments& a, const Problem& problem, int head0, int first, char* memory)
        : out(a), p(problem), head(head0), owner0(first), lists(*reinterpret_cast<Lists*>(memory)) {
        for (int i = threadIdx.x; i < kEdge * kLongestList; i += kEngineThreads) {
            lists.value[i / kLongestList][i % kLongestList] = kHidden;
            lists.index[i / kLongestList][i % kLongestList] = -1;
        }
        __syncthreads();
    }
    __device__ void prepare(int, int) {}

    __device__ void add(const Fragment& t, const BlockInfo& info, int loop0) {
        const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
        for (int n = 0; n < 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const Place at = placeOf(n, i);
                const float bits =
                    t[n][i] == kHidden ? kHidden : t[n][i] + info.negLse[KeysOwn ? at.column : at.row];
                lists.share[at.row][at.column] = bits;
            }
        __syncwarp();
        for (int row = warp * 16; row < warp * 16 + 16; ++row) {
            float low = lists.share[row][lane], high = lists.share[row][lane + 32];
            float worst = lists.value[row][out.k - 1];
            unsigned candidates[2] = {__ballot_sync(~0u, low > worst), __ballot_sync(~0u, high > worst)};
            if (!(candidates[0] | candidates[1])) continue;
            float value[2] = {lists.value[row][lane], lists.value[row][lane + 32]};
            int index[2] = {lists.index[row][lane], lists.index[row][lane + 32]};
#pragma unroll
            for (int half = 0; half < 2; ++half)
                while (candidates[half]) {
                    const int from = __ffs(candidates[half]) - 1;
                    candidates[half] &= candidates[half] - 1;
                    insert(value, index, __shfl_sync(~0u, half ? high : low, from), loop0 + half * 32 + from,
                           lane);
                }
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                lists.value[row][lane + half * 32] = value[half];
                lists.index[row][lane + half * 32] = index[half];
            }
            __syncwarp();
        }
    }

    /// Puts a newcomer behind all that are at least as large; entries come in the order of their index.
    __device__ static void insert(float (&value)[2], int (&index)[2], float newcomer, int at, int lane) {
        const int place = __popc(__ballot_sync(~0u, value[0] >= newcomer)) +
                          __popc(__ballot_sync(~0u, value[1] >= newcomer));
        const float lastLow = __shfl_sync(~0u, value[0], 31);
        const int lastLowIndex = __shfl_sync(~0u, index[0], 31);
#pragma unroll
        for (int half = 1; half >= 0; --half) {
            float before = __shfl_up_sync(~0u, value[half], 1);
            int beforeIndex = __shfl_up_sync(~0u, index[half], 1);
            if (half == 1 && lane == 0) {
                before = lastLow;
                beforeIndex = lastLowIndex;
            }
            const int position = lane + half * 32;
            if (position > place) {
                value[half] = before;
                index[half] = beforeIndex;
            } else if (position == place) {
                value[half] = newcomer;
                index[half] = at;
            }
        }
    }

    __device__ void finish(const BlockInfo&) {
        __syncthreads();
        const int b = head / p.qHeads, h = head % p.qHeads, count = KeysOwn ? p.tk : p.tq;
        auto* values = static_cast<float*>(out.value.data) + b * out.value.strideB + h * out.value.strideH;
        auto* indices = static_cast<int32_t*>(out.index.data) + b * out.index.strideB + h * out.index.strideH;
        for (int i = threadIdx.x; i < kEdge * out.k; i += kEngineThreads) {
            const int row = i / out.k, place = i % out.k;
            if (owner0 + row >= count) break;
            const int64_t cell = int64_t(owner0 + row) * out.k + place;
            const int index = lists.index[row][place];
            if (out.value.data) values[cell] = index < 0 ? 0.f : exp2Fast(lists.value[row][place]);
            if (out.index.data) indices[cell] = index;
        }
    }
};

/// Every lane has its own bins, so the order of the sums is fixed.
struct GroupSink {
    using Arguments = GroupOut;
    struct Bins {
        float mass[kEdge][4][kGroupRow];
        int group[kEdge];
    };
    static int sharedBytes(const Arguments&) { return sizeof(Bins); }

    const Arguments& out;
    const Problem& p;
    int head, owner0;
    Bins& bins;

    __device__ GroupSink(const Arguments& a, const Problem& problem, int head0, int first, char* memory)
        : out(a), p(problem), head(head0), owner0(first), bins(*reinterpret_cast<Bins*>(memory)) {
        float* all = &bins.mass[0][0][0];
        for (int i = threadIdx.x; i < kEdge * 4 * kGroupRow; i += kEngineThreads) all[i] = 0.f;
        __syncthreads();
    }
    __device__ void prepare(int, int loop0) {
        const int key = loop0 + threadIdx.x;
        if (threadIdx.x < kEdge) {
            const int group = key < p.tk ? out.keyGroup[key] : -1;
            bins.group[threadIdx.x] = group < out.groups ? group : -1;
        }
    }

    __device__ void add(const Fragment& t, const BlockInfo& info, int) {
        const int quad = threadIdx.x % 4;
#pragma unroll
        for (int n = 0; n < 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const Place at = placeOf(n, i);
                const int group = bins.group[at.column];
                if (group >= 0) bins.mass[at.row][quad][group] += probability<false>(t[n][i], info, n, i);
            }
    }

    __device__ void finish(const BlockInfo&) {
        __syncthreads();
        const int b = head / p.qHeads, h = head % p.qHeads;
        float* mass = static_cast<float*>(out.mass.data) + b * out.mass.strideB + h * out.mass.strideH;
        for (int i = threadIdx.x; i < kEdge * out.groups; i += kEngineThreads) {
            const int row = i / out.groups, group = i % out.groups;
            if (owner0 + row >= p.tq) break;
            const auto& quads = bins.mass[row];
            mass[int64_t(owner0 + row) * out.groups + group] =
                quads[0][group] + quads[1][group] + (quads[2][group] + quads[3][group]);
        }
    }
};

/// x of the looped side in shared memory, sums of two owners in registers.
template <bool KeysOwn, int R>
struct ProductSink {
    using Arguments = ProductOut;
    static int sharedBytes(const Arguments&) { return kEdge * R * int(sizeof(float)); }

    const Arguments& out;
    const Problem& p;
    int head, owner0;
    float* x;
    float sum[2][R] = {};

    __device__ ProductSink(const Arguments& a, const Problem& problem, int head0, int first, char* memory)
        : out(a), p(problem), head(head0), owner0(first), x(reinterpret_cast<float*>(memory)) {}

    __device__ void prepare(int headNow, int loop0) {
        const int b = headNow / p.qHeads, h = headNow % p.qHeads, count = KeysOwn ? p.tq : p.tk;
        const float* source = out.x + b * out.strideB + h * out.strideH;
        for (int i = threadIdx.x; i < kEdge * R; i += kEngineThreads) {
            const int row = i / R, column = i % R;
            x[i] = loop0 + row < count && column < out.columns
                       ? source[int64_t(loop0 + row) * out.columns + column]
                       : 0.f;
        }
    }

    __device__ void add(const Fragment& t, const BlockInfo& info, int) {
#pragma unroll
        for (int n = 0; n < 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float share = probability<KeysOwn>(t[n][i], info, n, i);
                const float* row = x + placeOf(n, i).column * R;
#pragma unroll
                for (int c = 0; c < R; ++c) sum[i >> 1][c] = fmaf(share, row[c], sum[i >> 1][c]);
            }
    }

    __device__ void finish(const BlockInfo&) {
        const int b = head / p.qHeads, h = out.joinHeads ? 0 : head % p.qHeads, count = KeysOwn ? p.tk : p.tq;
        float* target = static_cast<float*>(out.out.data) + b * out.out.strideB + h * out.out.strideH;
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            const int index = owner0 + placeOf(0, 0).row + r * 8;
#pragma unroll
            for (int c = 0; c < R; ++c) {
                const float total = joinSum(sum[r][c]);
                if (threadIdx.x % 4 == 0 && index < count && c < out.columns)
                    target[int64_t(index) * out.columns + c] = out.joinHeads ? total / p.qHeads : total;
            }
        }
    }
};

template <bool KeysOwn>
cudaError_t runProductOf(int dtype, const Problem& p, const ProductOut& out, cudaStream_t stream) {
    if (out.columns == 1)
        return launchOwner<KeysOwn, ProductSink<KeysOwn, 1>>(dtype, {p, out.joinHeads, out}, stream);
    if (out.columns <= 4)
        return launchOwner<KeysOwn, ProductSink<KeysOwn, 4>>(dtype, {p, out.joinHeads, out}, stream);
    return launchOwner<KeysOwn, ProductSink<KeysOwn, 8>>(dtype, {p, out.joinHeads, out}, stream);
}

}  // namespace

int topkSharedBytes(int dtype, int d) {
    const int tiles =
        2 * (dtype == 0 ? EngineShape<float>::tileBytes(d) : EngineShape<Half>::tileBytes(d));
    return tiles + TopkSink<false>::sharedBytes({}) + int(sizeof(BlockInfo));
}

cudaError_t runRowTopk(int dtype, const Problem& p, const TopkOut& out, cudaStream_t stream) {
    return launchOwner<false, TopkSink<false>>(dtype, {p, 0, out}, stream);
}

cudaError_t runColumnTopk(int dtype, const Problem& p, const TopkOut& out, cudaStream_t stream) {
    return launchOwner<true, TopkSink<true>>(dtype, {p, 0, out}, stream);
}

cudaError_t runGroupMass(int dtype, const Problem& p, const GroupOut& out, cudaStream_t stream) {
    return launchOwner<false, GroupSink>(dtype, {p, 0, out}, stream);
}

cudaError_t runProduct(int dtype, const Problem& p, const ProductOut& out, bool transposed,
                       cudaStream_t stream) {
    return transposed ? runProductOf<true>(dtype, p, out, stream)
                      : runProductOf<false>(dtype, p, out, stream);
}

}  // namespace fovea::kernels::cuda
