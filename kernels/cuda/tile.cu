// A rectangle of the probabilities drawn into pixels. A thread block owns some pixels and goes through the
// cells under them in blocks of 64 x 64: first along the keys, then along the queries.
#include "cuda/device/head_join.cuh"
#include "cuda/generic.h"

namespace fovea::kernels::cuda {
namespace {

constexpr int kPitch = kEdge + 1;
constexpr int kMean = 0, kMax = 1;

/// The pixels [first, last) of one axis that a thread block owns and the cells [begin, end) under them.
struct PixelShare {
    int first, last;
    int begin, end;
};

/// Start of a pixel in units of 1 / axis.pixels of a cell, counted from axis.begin.
__device__ __forceinline__ int64_t startOf(const PixelAxis& axis, int64_t pixel) {
    return min(pixel * axis.cells, (axis.end - axis.begin) * axis.pixels);
}

__device__ PixelShare shareOf(const PixelAxis& axis, int index, int perBlock) {
    PixelShare s;
    s.first = index * perBlock;
    s.last = int(min(int64_t(s.first + perBlock), axis.count));
    s.begin = int(axis.begin + startOf(axis, s.first) / axis.pixels);
    s.end = int(axis.begin + (startOf(axis, s.last) + axis.pixels - 1) / axis.pixels);
    return s;
}

/// The cells [first, last) under a pixel, and the parts of the first and the last of them that lie inside.
struct PixelCells {
    int first, last;
    float head, tail;
};

__device__ PixelCells cellsOf(const PixelAxis& axis, int pixel) {
    const int64_t start = startOf(axis, pixel), end = startOf(axis, pixel + 1), unit = axis.pixels;
    const int64_t first = start / unit, last = (end + unit - 1) / unit;
    const auto inside = [&](int64_t cell) {
        return float(min((cell + 1) * unit, end) - max(cell * unit, start)) / float(unit);
    };
    return {int(axis.begin + first), int(axis.begin + last), inside(first), inside(last - 1)};
}

/// Sum or maximum of the cells of one pixel among the 64 that begin at `cell0`, weighted by the part inside.
template <class Read>
__device__ float poolCells(const PixelCells& pixel, int cell0, int reduce, Read read) {
    const int first = pixel.first - cell0, last = pixel.last - 1 - cell0;
    const int from = max(first, 0), to = min(last + 1, kEdge);
    float total = 0.f;
    if (reduce == kMax) {
        for (int i = from; i < to; ++i) total = fmaxf(total, read(i));
        return total;
    }
    for (int i = from; i < to; ++i)
        total += read(i) * (i == first ? pixel.head : i == last ? pixel.tail : 1.f);
    return total;
}

struct TileShape {
    int pixelsY, pixelsX;  // of a thread block
};

template <class Element>
__global__ void __launch_bounds__(kEngineThreads, 3)
    drawTile(const __grid_constant__ Problem p, const __grid_constant__ TileOut out, TileShape shape) {
    extern __shared__ __align__(128) char memory[];
    __shared__ BlockInfo info;
    __shared__ PixelCells pixelsX[kEdge], pixelsY[kEdge];
    auto* cells =
        reinterpret_cast<float*>(memory);     // [64][65]; takes the place of the operands once they are read
    float* partial = cells + kEdge * kPitch;  // [64][65], rows pooled along the keys
    float* pixels = reinterpret_cast<float*>(
        memory + max(2 * EngineShape<Element>::tileBytes(p.d), 2 * kEdge * kPitch * int(sizeof(float))));
    const PixelShare ys = shareOf(out.y, blockIdx.y, shape.pixelsY),
                     xs = shareOf(out.x, blockIdx.x, shape.pixelsX);
    const int height = ys.last - ys.first, width = xs.last - xs.first;
    const HeadRange heads = headsOf(p, out.heads, blockIdx.z);
    for (int i = threadIdx.x; i < height * width; i += kEngineThreads) pixels[i] = 0.f;
    for (int i = threadIdx.x; i < height; i += kEngineThreads) pixelsY[i] = cellsOf(out.y, ys.first + i);
    for (int i = threadIdx.x; i < width; i += kEngineThreads) pixelsX[i] = cellsOf(out.x, xs.first + i);
    for (int row0 = ys.begin; row0 < ys.end; row0 += kEdge)
        for (int key0 = xs.begin; key0 < xs.end; key0 += kEdge) {
            Fragment joined;
            for (int head = heads.first; head < heads.last; ++head) {
                const int b = head / p.qHeads, h = head % p.qHeads;
                __syncthreads();
                fillQueries(info, p, head, row0, ys.end - row0, nullptr);
                fillKeys(info, p, b, key0, xs.end - key0, nullptr);
                Fragment share;
                blockProduct(share, engineRows<Element>(p.query, b, h, row0, ys.end, p.d),
                             engineRows<Element>(p.key, b, h / p.group, key0, xs.end, p.d),
                             reinterpret_cast<Element*>(memory),
                             reinterpret_cast<Element*>(memory + EngineShape<Element>::tileBytes(p.d)),
                             false);
                toLogits<false>(share, p, info, head);
#pragma unroll
                for (int n = 0; n < 8; ++n)
#pragma unroll
                    for (int i = 0; i < 4; ++i) share[n][i] = probability<false>(share[n][i], info, n, i);
                joinHead(joined, share, out.heads, head == heads.first);
            }
            finishJoin(joined, out.heads, p.qHeads);
            __syncthreads();
#pragma unroll
            for (int n = 0; n < 8; ++n)
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const Place at = placeOf(n, i);
                    cells[at.row * kPitch + at.column] = joined[n][i];
                }
            __syncthreads();
            for (int i = threadIdx.x; i < kEdge * width; i += kEngineThreads) {
                const int x = i / kEdge, row = i % kEdge;
                partial[row * kPitch + x] = poolCells(pixelsX[x], key0, out.reduce,
                                                      [&](int c) { return cells[row * kPitch + c]; });
            }
            __syncthreads();
            for (int i = threadIdx.x; i < height * width; i += kEngineThreads) {
                const int y = i / width, x = i % width;
                const float more = poolCells(pixelsY[y], row0, out.reduce,
                                             [&](int r) { return partial[r * kPitch + x]; });
                pixels[i] = out.reduce == kMax ? fmaxf(pixels[i], more) : pixels[i] + more;
            }
        }
    __syncthreads();
    float* target = static_cast<float*>(out.out.data) + heads.first / p.qHeads * out.out.strideB +
                    (out.heads ? 0 : heads.first % p.qHeads * out.out.strideH);
    for (int i = threadIdx.x; i < height * width; i += kEngineThreads) {
        const int y = ys.first + i / width, x = xs.first + i % width;
        float value = pixels[i];
        if (out.reduce == kMean) {
            const float tall = float(startOf(out.y, y + 1) - startOf(out.y, y)) / float(out.y.pixels);
            const float wide = float(startOf(out.x, x + 1) - startOf(out.x, x)) / float(out.x.pixels);
            value /= tall * wide;
        }
        target[int64_t(y) * out.x.count + x] = value;
    }
}

/// As many pixels as lie over one, two or three steps of 64 cells, whichever wastes least of its last step.
int pixelsPerBlock(const PixelAxis& axis) {
    int64_t best = 1;
    double bestUse = 0;
    for (int steps = 1; steps <= 3; ++steps) {
        const int64_t fits = (kEdge * steps - 2) * axis.pixels / axis.cells, count = fits > kEdge ? kEdge : fits;
        const double use = double(count) * double(axis.cells) / double(axis.pixels * kEdge * steps);
        if (count < 1 || use < 1.1 * bestUse) continue;
        best = count;
        bestUse = use;
    }
    return int(best);
}

template <class Element>
cudaError_t launchTile(const Problem& p, const TileOut& out, cudaStream_t stream) {
    const TileShape shape{pixelsPerBlock(out.y), pixelsPerBlock(out.x)};
    const int operands = 2 * EngineShape<Element>::tileBytes(p.d),
              pools = 2 * kEdge * kPitch * int(sizeof(float));
    const int bytes =
        (operands > pools ? operands : pools) + shape.pixelsY * shape.pixelsX * int(sizeof(float));
    auto* kernel = drawTile<Element>;
    const cudaError_t error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (error != cudaSuccess) return error;
    const dim3 grid(unsigned((out.x.count + shape.pixelsX - 1) / shape.pixelsX),
                    unsigned((out.y.count + shape.pixelsY - 1) / shape.pixelsY),
                    p.batch * (out.heads ? 1 : p.qHeads));
    kernel<<<grid, kEngineThreads, bytes, stream>>>(p, out, shape);
    return cudaGetLastError();
}

}  // namespace

cudaError_t runTile(int dtype, const Problem& p, const TileOut& out, cudaStream_t stream) {
    if (dtype == 0) return launchTile<float>(p, out, stream);
    if (dtype == 1) return launchTile<Half>(p, out, stream);
    return launchTile<Bfloat>(p, out, stream);
}

}  // namespace fovea::kernels::cuda
