// Row normalisers and the sums, maxima and entropies of rows or columns for problems outside the fast pass.
#include "cuda/generic.h"
#include "cuda/owner_pass.cuh"

namespace fovea::kernels::cuda {
namespace {

__device__ __forceinline__ float* floats(const Output& o, int b, int h) {
    return static_cast<float*>(o.data) + b * o.strideB + h * o.strideH;
}

/// Two owners per lane: the local row of each, and whether this lane writes for them.
struct Owners {
    int row[2];
    bool writes;

    __device__ Owners() {
        row[0] = placeOf(0, 0).row;
        row[1] = row[0] + 8;
        writes = threadIdx.x % 4 == 0;
    }
};

struct NormaliserSink {
    using Arguments = NormaliserOut;
    static int sharedBytes(const Arguments&) { return 0; }

    const Arguments& out;
    const Problem& p;
    int head, owner0;
    float largest[2] = {kHidden, kHidden}, sum[2] = {0.f, 0.f};

    __device__ NormaliserSink(const Arguments& a, const Problem& problem, int head0, int first, char*)
        : out(a), p(problem), head(head0), owner0(first) {}
    __device__ void prepare(int, int) {}

    __device__ void add(const Fragment& t, const BlockInfo&, int) {
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            float top = largest[r];
#pragma unroll
            for (int n = 0; n < 8; ++n) top = fmaxf(top, fmaxf(t[n][2 * r], t[n][2 * r + 1]));
            float total = sum[r] * exp2Fast(largest[r] - top);
#pragma unroll
            for (int n = 0; n < 8; ++n)
#pragma unroll
                for (int e = 0; e < 2; ++e)
                    total += t[n][2 * r + e] == kHidden ? 0.f : exp2Fast(t[n][2 * r + e] - top);
            sum[r] = total;
            largest[r] = top;
        }
    }

    __device__ void finish(const BlockInfo& info) {
        const Owners owners;
#pragma unroll
        for (int r = 0; r < 2; ++r) {
#pragma unroll
            for (int step = 1; step <= 2; step *= 2) {
                const float otherTop = __shfl_xor_sync(~0u, largest[r], step);
                const float otherSum = __shfl_xor_sync(~0u, sum[r], step);
                const float top = fmaxf(largest[r], otherTop);
                sum[r] = sum[r] * exp2Fast(largest[r] - top) + otherSum * exp2Fast(otherTop - top);
                largest[r] = top;
            }
            const int query = owner0 + owners.row[r];
            if (!owners.writes || query >= p.tq) continue;
            const bool empty = sum[r] == 0.f;
            const float lse = largest[r] + log2f(sum[r]);
            out.negLse[int64_t(head) * p.tq + query] = empty ? 0.f : -lse;
            if (out.lse.data)
                floats(out.lse, head / p.qHeads, head % p.qHeads)[query] =
                    empty ? -INFINITY : lse * 0.693147180559945309f;
        }
    }
};

template <bool KeysOwn>
struct StatisticsSink {
    using Arguments = StatisticsOut;
    static int sharedBytes(const Arguments&) { return 0; }

    const Arguments& out;
    const Problem& p;
    int head, owner0;
    float sum[2] = {0.f, 0.f}, entropy[2] = {0.f, 0.f}, best[2] = {kHidden, kHidden};
    int arg[2] = {-1, -1};

    __device__ StatisticsSink(const Arguments& a, const Problem& problem, int head0, int first, char*)
        : out(a), p(problem), head(head0), owner0(first) {}
    __device__ void prepare(int, int) {}

    __device__ void add(const Fragment& t, const BlockInfo& info, int loop0) {
#pragma unroll
        for (int n = 0; n < 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const Place at = placeOf(n, i);
                const int r = i >> 1;
                const float bits =
                    t[n][i] == kHidden ? kHidden : t[n][i] + info.negLse[KeysOwn ? at.column : at.row];
                const float share = exp2Fast(bits);
                sum[r] += share;
                entropy[r] = fmaf(share, bits, entropy[r]);
                if (bits > best[r]) {
                    best[r] = bits;
                    arg[r] = loop0 + at.column;
                }
            }
    }

    __device__ void finish(const BlockInfo&) {
        const Owners owners;
        const int b = head / p.qHeads, h = head % p.qHeads, count = KeysOwn ? p.tk : p.tq;
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            sum[r] = joinSum(sum[r]);
            entropy[r] = joinSum(entropy[r]);
            joinBest(best[r], arg[r]);
            const int index = owner0 + owners.row[r];
            if (!owners.writes || index >= count) continue;
            if (out.sum.data) floats(out.sum, b, h)[index] = sum[r];
            if (out.max.data)
                floats(out.max, b, h)[index] =
                    arg[r] < 0 ? (sum[r] == 0.f ? 0.f : sum[r]) : exp2Fast(best[r]);
            if (out.entropy.data) floats(out.entropy, b, h)[index] = entropy[r] * -0.693147180559945309f;
            if (out.argmax.data)
                (static_cast<int32_t*>(out.argmax.data) + b * out.argmax.strideB +
                 h * out.argmax.strideH)[index] = arg[r];
            if (out.flags && !(fabsf(sum[r]) < INFINITY && entropy[r] == entropy[r])) atomicOr(out.flags, 1);
        }
    }
};

}  // namespace

cudaError_t runNormaliser(int dtype, const Problem& p, const NormaliserOut& out, cudaStream_t stream) {
    return launchOwner<false, NormaliserSink>(dtype, {p, 0, out}, stream);
}

cudaError_t runRowStatistics(int dtype, const Problem& p, const StatisticsOut& out, cudaStream_t stream) {
    return launchOwner<false, StatisticsSink<false>>(dtype, {p, 0, out}, stream);
}

cudaError_t runColumnStatistics(int dtype, const Problem& p, const StatisticsOut& out, cudaStream_t stream) {
    return launchOwner<true, StatisticsSink<true>>(dtype, {p, 0, out}, stream);
}

}  // namespace fovea::kernels::cuda
