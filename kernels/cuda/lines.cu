// Chosen rows or columns of the probabilities, for each head or joined over heads.
#include "cuda/device/head_join.cuh"
#include "cuda/generic.h"

namespace fovea::kernels::cuda {
namespace {

template <class Element, bool Columns>
__global__ void __launch_bounds__(kEngineThreads, 4)
    drawLines(const __grid_constant__ Problem p, const __grid_constant__ LinesOut out) {
    extern __shared__ __align__(128) char memory[];
    __shared__ BlockInfo info;
    const int loop0 = blockIdx.x * kEdge, line0 = blockIdx.y * kEdge, length = Columns ? p.tq : p.tk;
    const HeadRange heads = headsOf(p, out.heads, blockIdx.z);
    Fragment joined;
    for (int head = heads.first; head < heads.last; ++head) {
        const int b = head / p.qHeads, h = head % p.qHeads;
        __syncthreads();
        EngineRows<Element> lines, loop;
        if constexpr (Columns) {
            fillKeys(info, p, b, line0, out.count - line0, out.list);
            fillQueries(info, p, head, loop0, p.tq - loop0, nullptr);
            lines = engineRows<Element>(p.key, b, h / p.group, line0, out.count, p.d, out.list);
            loop = engineRows<Element>(p.query, b, h, loop0, p.tq, p.d);
        } else {
            fillQueries(info, p, head, line0, out.count - line0, out.list);
            fillKeys(info, p, b, loop0, p.tk - loop0, nullptr);
            lines = engineRows<Element>(p.query, b, h, line0, out.count, p.d, out.list);
            loop = engineRows<Element>(p.key, b, h / p.group, loop0, p.tk, p.d);
        }
        Fragment share;
        blockProduct(share, lines, loop, reinterpret_cast<Element*>(memory),
                     reinterpret_cast<Element*>(memory + EngineShape<Element>::tileBytes(p.d)), false);
        toLogits<Columns>(share, p, info, head);
#pragma unroll
        for (int n = 0; n < 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) share[n][i] = probability<Columns>(share[n][i], info, n, i);
        joinHead(joined, share, out.heads, head == heads.first);
    }
    finishJoin(joined, out.heads, p.qHeads);
    float* target = static_cast<float*>(out.out.data) + heads.first / p.qHeads * out.out.strideB +
                    (out.heads ? 0 : heads.first % p.qHeads * out.out.strideH);
#pragma unroll
    for (int n = 0; n < 8; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const Place at = placeOf(n, i);
            if (line0 + at.row < out.count && loop0 + at.column < length)
                target[int64_t(line0 + at.row) * length + loop0 + at.column] = joined[n][i];
        }
}

template <class Element>
cudaError_t launchLines(const Problem& p, const LinesOut& out, bool columns, cudaStream_t stream) {
    const int bytes = 2 * EngineShape<Element>::tileBytes(p.d), length = columns ? p.tq : p.tk;
    auto* kernel = columns ? drawLines<Element, true> : drawLines<Element, false>;
    const cudaError_t error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (error != cudaSuccess) return error;
    const dim3 grid((length + kEdge - 1) / kEdge, (out.count + kEdge - 1) / kEdge,
                    p.batch * (out.heads ? 1 : p.qHeads));
    kernel<<<grid, kEngineThreads, bytes, stream>>>(p, out);
    return cudaGetLastError();
}

}  // namespace

cudaError_t runLines(int dtype, const Problem& p, const LinesOut& out, bool columns, cudaStream_t stream) {
    if (dtype == 0) return launchLines<float>(p, out, columns, stream);
    if (dtype == 1) return launchLines<Half>(p, out, columns, stream);
    return launchLines<Bfloat>(p, out, columns, stream);
}

}  // namespace fovea::kernels::cuda
