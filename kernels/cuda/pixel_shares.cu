#include "cuda/pixel_shares.h"

namespace fovea::kernels::cuda {
namespace {

constexpr int kThreads = 128;

/// The first pixel that the cell of 64 with this token shows in.
__device__ __forceinline__ int64_t firstPixel(const PixelAxis& axis, int64_t token) {
    const int64_t cell = min(max(token / 64 * 64 - axis.begin, int64_t(0)), axis.end - axis.begin - 1);
    return cell * axis.pixels / axis.cells;
}

__global__ void fillAxis(const __grid_constant__ ShareFill f) {
    const int token = blockIdx.x * kThreads + threadIdx.x;
    if (token >= (f.tokens + 63) / 64 * 64) return;
    const PixelAxis& axis = f.axis;
    const bool inside = token >= axis.begin && token < axis.end;
    const int64_t first = firstPixel(axis, token), unit = axis.pixels;
    const int64_t cell = (token - axis.begin) * unit;  // in parts of a token, as are pixels
    for (int s = 0; s < kShares; ++s) {
        const int64_t start = (first + s) * axis.cells, common = min(cell + unit, start + axis.cells) - max(cell, start);
        float share = 0.f;
        if (inside && first + s < axis.count && common > 0)
            share = f.whole || common == unit ? 1.f : float(common) / float(unit);
        f.shares[int64_t(token) * kShares + s] = share;
    }
}

/// The cells [first, last] of 64 tokens under one pixel.
struct Cells {
    int first, last;
};

__device__ __forceinline__ Cells cellsOf(const PixelAxis& axis, int64_t pixel) {
    const int64_t first = axis.begin + pixel * axis.cells / axis.pixels,
                  last = axis.begin + ((pixel + 1) * axis.cells + axis.pixels - 1) / axis.pixels - 1;
    return {int(first / 64), int(min(last, axis.end - 1) / 64)};
}

__global__ void drawPixels(const __grid_constant__ SharePicture f) {
    const int64_t pixel = int64_t(blockIdx.x) * kThreads + threadIdx.x;
    if (pixel >= f.y.count * f.x.count) return;
    const int64_t y = pixel / f.x.count, x = pixel % f.x.count;
    const Cells rows = cellsOf(f.y, y), columns = cellsOf(f.x, x);
    const int64_t height = (f.tq + 63) / 64, width = (f.tk + 63) / 64;
    const int firstHead = f.joinHeads ? 0 : blockIdx.y, lastHead = f.joinHeads ? f.heads - 1 : blockIdx.y;
    float sum = 0.f;
    for (int local = firstHead; local <= lastHead; ++local) {
        const int head = f.head0 + local, b = head / f.qHeads, h = head % f.qHeads;
        float* out = static_cast<float*>(f.out.data) + b * f.out.strideB + (f.joinHeads ? 0 : h * f.out.strideH) +
                     pixel;
        sum = f.joinHeads && h > 0 ? *out : 0.f;
        for (int i = rows.first; i <= rows.last; ++i)
            for (int j = columns.first; j <= columns.last; ++j) {
                const int64_t sy = y - firstPixel(f.y, int64_t(i) * 64), sx = x - firstPixel(f.x, int64_t(j) * 64);
                const float share =
                    f.shares[((local * height + i) * width + j) * (kShares * kShares) + sy * kShares + sx];
                sum = f.reduce == 1 ? fmaxf(sum, share) : sum + share;
            }
        if (!f.joinHeads || h == f.qHeads - 1) {
            float area = f.joinHeads ? float(f.qHeads) : 1.f;
            if (f.reduce == 0)
                area *= (float(f.y.cells) / float(f.y.pixels)) * (float(f.x.cells) / float(f.x.pixels));
            sum /= area;
        }
        *out = sum;
    }
}

}  // namespace

cudaError_t fillShares(const ShareFill& f, cudaStream_t stream) {
    fillAxis<<<(f.tokens + 63 + kThreads) / kThreads, kThreads, 0, stream>>>(f);
    return cudaGetLastError();
}

cudaError_t drawShares(const SharePicture& f, cudaStream_t stream) {
    const int64_t pixels = f.y.count * f.x.count;
    drawPixels<<<dim3(unsigned((pixels + kThreads - 1) / kThreads), f.joinHeads ? 1 : f.heads), kThreads, 0, stream>>>(f);
    return cudaGetLastError();
}

}  // namespace fovea::kernels::cuda
