// What follows a fast pass: joins key blocks into rows, slices into columns, cells into pooled maps.
#include "cuda/device/primitives.cuh"
#include "cuda/fast_finish.h"

namespace fovea::kernels::cuda {
namespace {

constexpr int kThreads = 128;

__device__ __forceinline__ float* at(const Output& o, int b, int h) {
    return static_cast<float*>(o.data) + b * o.strideB + h * o.strideH;
}

__global__ void joinNormalisers(const __grid_constant__ RowFinish f) {
    const Problem& p = f.problem;
    const int place = blockIdx.x * kThreads + threadIdx.x, query = f.query0 + place;
    const int local = blockIdx.y, head = f.head0 + local;
    if (place >= f.queries) return;
    const Span span = spanOf(p, query);
    float max = kHidden, sum = 0.f;
    for (int block = span.low / kKeyBlock; block * kKeyBlock < span.high; ++block) {
        const float* part = f.rowPart + (int64_t(local) * f.keyBlocks + block) * kRowStats * f.queries;
        const float otherMax = part[place], otherSum = part[f.queries + place];
        const float top = fmaxf(max, otherMax);
        sum = sum * exp2f(max - top) + otherSum * exp2f(otherMax - top);
        max = top;
    }
    const bool empty = sum == 0.f;
    f.negLse[int64_t(head) * p.tq + query] = empty ? 0.f : -(max + log2f(sum));
    if (f.lse.data)
        at(f.lse, head / p.qHeads, head % p.qHeads)[query] =
            empty ? -INFINITY : (max + log2f(sum)) * 0.693147180559945309f;
}

__global__ void joinRows(const __grid_constant__ RowFinish f) {
    const Problem& p = f.problem;
    const int place = blockIdx.x * kThreads + threadIdx.x, query = f.query0 + place;
    const int local = blockIdx.y, head = f.head0 + local;
    if (place >= f.queries) return;
    const Span span = spanOf(p, query);
    int max = 0, best = -1;
    float sum = 0.f, entropy = 0.f;
    for (int block = span.low / kKeyBlock; block * kKeyBlock < span.high; ++block) {
        const float* part =
            f.rowPart + (int64_t(local) * f.keyBlocks + block) * kRowStats * f.queries + place;
        const int m = asInt(part[0]);
        if (m > max) {
            max = m;
            best = block;
        }
        sum += part[f.queries];
        entropy += part[2 * int64_t(f.queries)];
    }
    const int b = head / p.qHeads, h = head % p.qHeads;
    if (f.rowMax.data) at(f.rowMax, b, h)[query] = __int_as_float(max);
    if (f.rowSum.data) at(f.rowSum, b, h)[query] = sum;
    if (f.rowEntropy.data) at(f.rowEntropy, b, h)[query] = entropy * -0.693147180559945309f;
    if (f.bestBlock) f.bestBlock[int64_t(local) * f.queries + place] = best;
    // A logit of -inf gives 0 times -inf in the entropy alone.
    if (f.flags && !(fabsf(sum) < INFINITY && entropy == entropy)) atomicOr(f.flags, 1);
}

/// One warp per query: the key of the largest logit within the block that holds it.
template <class Element>
__global__ void findRowArgmax(const __grid_constant__ RowFinish f) {
    const Problem& p = f.problem;
    const int place = blockIdx.x * (kThreads / 32) + threadIdx.x / 32, query = f.query0 + place;
    const int lane = threadIdx.x % 32, local = blockIdx.y;
    if (place >= f.queries) return;
    const int head = f.head0 + local, b = head / p.qHeads, h = head % p.qHeads;
    const int block = f.bestBlock[int64_t(local) * f.queries + place];
    int best = -1;
    if (block >= 0) {
        const Span span = spanOf(p, query);
        const auto* q = static_cast<const Element*>(p.query.data) + b * p.query.strideB +
                        h * p.query.strideH + query * p.query.strideT;
        const auto* keys =
            static_cast<const Element*>(p.key.data) + b * p.key.strideB + (h / p.group) * p.key.strideH;
        float top = -INFINITY;
        for (int i = 0; i < kKeyBlock / 32; ++i) {
            const int key = block * kKeyBlock + i * 32 + lane;
            if (key < span.low || key >= span.high) continue;
            if (p.keyVisible && !p.keyVisible[b * p.keyVisibleStride + key]) continue;
            const auto* k = keys + key * p.key.strideT;
            float dot = 0.f;
            for (int c = 0; c < p.d; c += 8) {
                const uint4 qBits = *reinterpret_cast<const uint4*>(q + c),
                            kBits = *reinterpret_cast<const uint4*>(k + c);
                const auto *qs = reinterpret_cast<const Element*>(&qBits),
                           *ks = reinterpret_cast<const Element*>(&kBits);
#pragma unroll
                for (int j = 0; j < 8; ++j) dot = fmaf(float(qs[j]), float(ks[j]), dot);
            }
            dot *= p.scale;
            if (dot > top) {
                top = dot;
                best = key;
            }
        }
#pragma unroll
        for (int step = 16; step; step /= 2) {
            const float other = __shfl_xor_sync(~0u, top, step);
            const int key = __shfl_xor_sync(~0u, best, step);
            if (other > top || (other == top && unsigned(key) < unsigned(best))) {
                top = other;
                best = key;
            }
        }
    }
    if (lane == 0)
        (static_cast<int32_t*>(f.rowArgmax.data) + b * f.rowArgmax.strideB + h * f.rowArgmax.strideH)[query] =
            best;
}

/// A column whose probabilities all underflow is looked at most by the first query that sees it.
__device__ int firstQuery(const Problem& p, int key) {
    int begin = 0, end = p.tq;
    while (begin < end) {
        const int middle = (begin + end) / 2;
        if (spanOf(p, middle).high > key)
            end = middle;
        else
            begin = middle + 1;
    }
    return begin < p.tq && spanOf(p, begin).low <= key ? begin : -1;
}

__global__ void joinColumns(const __grid_constant__ ColumnFinish f) {
    const Problem& p = f.problem;
    const int key = blockIdx.x * kThreads + threadIdx.x, head = blockIdx.y, b = head / p.qHeads,
              h = head % p.qHeads;
    if (key >= p.tk) return;
    const int64_t base = b * f.strideB + h * f.strideH + key;
    float sum = 0.f;
    int max = 0, arg = -1;
    for (int slice = 0; slice < f.slices; ++slice) {
        const int64_t cell = base + slice * f.strideSlice;
        if (f.sum) sum += f.sum[cell];
        if (!f.max) continue;
        const int m = asInt(f.max[cell]);
        if (f.arg && m > max) arg = f.arg[cell];
        max = ::max(max, m);
    }
    const bool visible = !p.keyVisible || p.keyVisible[b * p.keyVisibleStride + key];
    if (arg < 0 && f.arg && visible) arg = firstQuery(p, key);
    if (f.colSum.data) at(f.colSum, b, h)[key] = sum;
    if (f.colMax.data) at(f.colMax, b, h)[key] = __int_as_float(max);
    if (f.colArgmax.data)
        (static_cast<int32_t*>(f.colArgmax.data) + b * f.colArgmax.strideB + h * f.colArgmax.strideH)[key] =
            arg;
}

/// Joins cells of 64 x 64 into blocks of a multiple of 64.
__global__ void joinPools(const __grid_constant__ PoolFinish f) {
    const int rows = (f.tq + f.block - 1) / f.block, columns = (f.tk + f.block - 1) / f.block;
    const int64_t index = int64_t(blockIdx.x) * kThreads + threadIdx.x;
    if (index >= int64_t(rows) * columns) return;
    const int row = int(index / columns), column = int(index % columns), factor = f.block / 64;
    const int fineRows = (f.tq + 63) / 64, fineColumns = (f.tk + 63) / 64, local = blockIdx.y;
    float sum = 0.f;
    int max = 0;
    for (int y = row * factor; y < min((row + 1) * factor, fineRows); ++y)
        for (int x = column * factor; x < min((column + 1) * factor, fineColumns); ++x) {
            const int64_t cell = (int64_t(local) * fineRows + y) * fineColumns + x;
            sum += f.sum[cell];
            if (f.max) max = ::max(max, asInt(f.max[cell]));
        }
    const float cells =
        float(min(f.block, f.tq - row * f.block)) * float(min(f.block, f.tk - column * f.block));
    const int head = f.head0 + local, b = head / f.qHeads, h = head % f.qHeads;
    if (f.mean.data) at(f.mean, b, h)[index] = sum / cells;
    if (f.maximum.data) at(f.maximum, b, h)[index] = __int_as_float(max);
}

__global__ void joinProduct(const __grid_constant__ ProductFinish f) {
    const int key = blockIdx.x * kThreads + threadIdx.x, index = blockIdx.y;
    if (key >= f.tk) return;
    const int b = f.joinHeads ? index : index / f.qHeads, h = f.joinHeads ? 0 : index % f.qHeads;
    const int heads = f.joinHeads ? f.qHeads : 1;
    float total = 0.f;
    for (int i = 0; i < heads; ++i)
        for (int slice = 0; slice < f.slices; ++slice)
            total += f.sum[((int64_t(slice) * f.batch + b) * f.qHeads + h + i) * f.tk + key];
    at(f.out, b, h)[int64_t(key) * f.columns + f.column] = total / heads;
}

__global__ void drawCells(const __grid_constant__ PoolPicture f) {
    const int64_t pixel = int64_t(blockIdx.x) * kThreads + threadIdx.x;
    if (pixel >= int64_t(f.height) * f.width) return;
    const int y = int(pixel / f.width), x = int(pixel % f.width), local = blockIdx.y, head = f.head0 + local;
    const int64_t rows = (f.tq + 63) / 64, columns = (f.tk + 63) / 64;
    float sum = 0.f;
    int max = 0;
    for (int i = 0; i < f.rowCells; ++i)
        for (int j = 0; j < f.columnCells; ++j) {
            const int64_t cell =
                (local * rows + f.row0 + y * f.rowCells + i) * columns + f.column0 + x * f.columnCells + j;
            sum += f.sum[cell];
            max = ::max(max, asInt(f.max[cell]));
        }
    if (f.reduce == 0) sum /= 4096.f * f.rowCells * f.columnCells;
    at(f.out, head / f.qHeads, head % f.qHeads)[pixel] = f.reduce == 1 ? __int_as_float(max) : sum;
}

__global__ void copyNormaliser(const __grid_constant__ NormaliserCopy c) {
    const int query = blockIdx.x * kThreads + threadIdx.x, head = blockIdx.y, b = head / c.qHeads,
              h = head % c.qHeads;
    if (query >= c.tq) return;
    const float lse = c.given[b * c.strideB + h * c.strideH + query * c.strideT];
    if (c.negLse) c.negLse[int64_t(head) * c.tq + query] = lse == -INFINITY ? 0.f : -lse * c.factor;
    if (c.lse.data) at(c.lse, b, h)[query] = lse * c.factor * 0.693147180559945309f;
}

__global__ void makeSpans(const __grid_constant__ SpanRules r, Span* spans, int tq) {
    const int query = blockIdx.x * kThreads + threadIdx.x;
    if (query >= tq) return;
    int64_t begin = 0, end = r.tk, offset = 0;
    if (r.seqQ) {
        int low = 0,
            high = r.sequences - 1;  // the last sequence that starts at or before the query and is not over
        while (low < high) {
            const int middle = (low + high) / 2;
            if (r.seqQ[middle + 1] > query)
                high = middle;
            else
                low = middle + 1;
        }
        offset = r.seqQ[low];
        begin = r.seqK[low];
        end = r.seqK[low + 1];
    }
    const int64_t position = query - offset + r.qOffset;
    int64_t first = begin, last = end;
    if (r.causal) last = min(last, begin + max(position + 1, r.prefix));
    if (r.windowLeft >= 0) first = max(first, begin + position - r.windowLeft);
    if (r.windowRight >= 0) last = min(last, begin + position + r.windowRight + 1);
    first = min(first, end);
    last = min(max(last, first), end);
    spans[query] = {int32_t(first), int32_t(last)};
}

dim3 perRow(int tokens, int heads) {
    return dim3((tokens + kThreads - 1) / kThreads, heads);
}

}  // namespace

cudaError_t finishNormalisers(const RowFinish& f, cudaStream_t stream) {
    joinNormalisers<<<perRow(f.queries, f.heads), kThreads, 0, stream>>>(f);
    return cudaGetLastError();
}

cudaError_t finishRows(const RowFinish& f, bool bf16, cudaStream_t stream) {
    joinRows<<<perRow(f.queries, f.heads), kThreads, 0, stream>>>(f);
    if (f.rowArgmax.data) {
        const dim3 grid((f.queries + 3) / 4, f.heads);
        if (bf16)
            findRowArgmax<Bfloat><<<grid, kThreads, 0, stream>>>(f);
        else
            findRowArgmax<Half><<<grid, kThreads, 0, stream>>>(f);
    }
    return cudaGetLastError();
}

cudaError_t finishColumns(const ColumnFinish& f, cudaStream_t stream) {
    joinColumns<<<perRow(f.problem.tk, f.problem.batch * f.problem.qHeads), kThreads, 0, stream>>>(f);
    return cudaGetLastError();
}

cudaError_t finishPools(const PoolFinish& f, cudaStream_t stream) {
    const int64_t cells = int64_t((f.tq + f.block - 1) / f.block) * ((f.tk + f.block - 1) / f.block);
    joinPools<<<dim3(unsigned((cells + kThreads - 1) / kThreads), f.heads), kThreads, 0, stream>>>(f);
    return cudaGetLastError();
}

cudaError_t finishProduct(const ProductFinish& f, cudaStream_t stream) {
    joinProduct<<<perRow(f.tk, f.batch * (f.joinHeads ? 1 : f.qHeads)), kThreads, 0, stream>>>(f);
    return cudaGetLastError();
}

cudaError_t drawPools(const PoolPicture& f, cudaStream_t stream) {
    const int64_t pixels = int64_t(f.height) * f.width;
    drawCells<<<dim3(unsigned((pixels + kThreads - 1) / kThreads), f.heads), kThreads, 0, stream>>>(f);
    return cudaGetLastError();
}

cudaError_t readNormaliser(const NormaliserCopy& c, cudaStream_t stream) {
    copyNormaliser<<<perRow(c.tq, c.heads), kThreads, 0, stream>>>(c);
    return cudaGetLastError();
}

cudaError_t fillSpans(const SpanRules& rules, Span* spans, int tq, cudaStream_t stream) {
    makeSpans<<<(tq + kThreads - 1) / kThreads, kThreads, 0, stream>>>(rules, spans, tq);
    return cudaGetLastError();
}

}  // namespace fovea::kernels::cuda
