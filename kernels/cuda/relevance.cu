// Gradient relevance: E^T x with E the mean over heads of a part of A * dO V^T. A thread block owns 64 keys
// and goes through all heads and queries, forming two products per block.
#include "cuda/device/engine.cuh"
#include "cuda/device/tile_parts.cuh"
#include "cuda/generic.h"
#include "cuda/owner_pass.cuh"

namespace fovea::kernels::cuda {
namespace {

constexpr int kColumns = 8;
constexpr int kPositive = 0, kAbsolute = 2;

template <class Element>
__global__ void __launch_bounds__(kEngineThreads, 3)
    sumRelevance(const __grid_constant__ Problem p, const __grid_constant__ RelevanceOut out) {
    extern __shared__ __align__(128) char memory[];
    __shared__ BlockInfo info;
    __shared__ float x[kEdge][kColumns];
    const int widest = max(p.d, p.dv), key0 = blockIdx.x * kEdge, b = blockIdx.y;
    auto* keyTile = reinterpret_cast<Element*>(memory);
    auto* queryTile = reinterpret_cast<Element*>(memory + EngineShape<Element>::tileBytes(widest));
    const TileRange range = meets<true>(p, key0);
    float sum[2][kColumns] = {};
    for (int h = 0; h < p.qHeads; ++h)
        for (int block = range.first; block < range.last; ++block) {
            const int query0 = block * kEdge, head = b * p.qHeads + h;
            __syncthreads();
            fillKeys(info, p, b, key0, p.tk - key0, nullptr);
            fillQueries(info, p, head, query0, p.tq - query0, nullptr);
            for (int i = threadIdx.x; i < kEdge * kColumns; i += kEngineThreads) {
                const int row = i / kColumns, column = i % kColumns;
                x[row][column] = query0 + row < p.tq && column < out.columns
                                     ? out.x[b * out.strideB + int64_t(query0 + row) * out.columns + column]
                                     : 0.f;
            }
            Fragment share, gradient;
            blockProduct(share, engineRows<Element>(p.key, b, h / p.group, key0, p.tk, p.d),
                         engineRows<Element>(p.query, b, h, query0, p.tq, p.d), keyTile, queryTile, false);
            toLogits<true>(share, p, info, head);
            __syncthreads();
            blockProduct(gradient, engineRows<Element>(p.value, b, h / p.group, key0, p.tk, p.dv),
                         engineRows<Element>(p.gradOutput, b, h, query0, p.tq, p.dv), keyTile, queryTile,
                         false);
#pragma unroll
            for (int n = 0; n < 8; ++n)
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    if (share[n][i] == kHidden) continue;
                    float e = probability<true>(share[n][i], info, n, i) * gradient[n][i];
                    if (out.part == kPositive) e = e > 0.f ? e : e == e ? 0.f : e;
                    if (out.part == kAbsolute) e = fabsf(e);
                    const float* row = x[placeOf(n, i).column];
#pragma unroll
                    for (int c = 0; c < kColumns; ++c) sum[i >> 1][c] = fmaf(e, row[c], sum[i >> 1][c]);
                }
        }
    float* target = static_cast<float*>(out.out.data) + b * out.out.strideB;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        const int key = key0 + placeOf(0, 0).row + r * 8;
#pragma unroll
        for (int c = 0; c < kColumns; ++c) {
            const float total = joinSum(sum[r][c]);
            if (threadIdx.x % 4 == 0 && key < p.tk && c < out.columns)
                target[int64_t(key) * out.columns + c] = total / p.qHeads;
        }
    }
}

template <class Element>
cudaError_t launchRelevance(const Problem& p, const RelevanceOut& out, cudaStream_t stream) {
    const int bytes = 2 * EngineShape<Element>::tileBytes(p.d > p.dv ? p.d : p.dv);
    auto* kernel = sumRelevance<Element>;
    const cudaError_t error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (error != cudaSuccess) return error;
    kernel<<<dim3((p.tk + kEdge - 1) / kEdge, p.batch), kEngineThreads, bytes, stream>>>(p, out);
    return cudaGetLastError();
}

}  // namespace

cudaError_t runRelevance(int dtype, const Problem& p, const RelevanceOut& out, cudaStream_t stream) {
    if (dtype == 0) return launchRelevance<float>(p, out, stream);
    if (dtype == 1) return launchRelevance<Half>(p, out, stream);
    return launchRelevance<Bfloat>(p, out, stream);
}

}  // namespace fovea::kernels::cuda
