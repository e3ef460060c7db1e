// What surrounds the passes: visible spans and normalisers before them, joined results after them.
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/device/fast.h"

namespace fovea::kernels::cuda {

/// Joins [heads, keyBlocks, 3, queries] into the rows from query0 on of heads head0 to head0 + heads.
struct RowFinish {
    Problem problem;
    int32_t head0, heads, keyBlocks, query0, queries;
    const float* rowPart;
    float* negLse;  // for a normaliser pass, of all heads
    Output lse, rowMax, rowSum, rowEntropy, rowArgmax;
    int32_t* bestBlock;  // scratch [heads, tq] for the argmax
    int32_t* flags;
};
cudaError_t finishNormalisers(const RowFinish& f, cudaStream_t stream);
cudaError_t finishRows(const RowFinish& f, bool bf16, cudaStream_t stream);

/// Joins the slices of every column.
struct ColumnFinish {
    Problem problem;
    int32_t slices;
    const float *sum, *max;
    const int32_t* arg;
    int64_t strideB, strideH, strideSlice;
    Output colSum, colMax, colArgmax;
};
cudaError_t finishColumns(const ColumnFinish& f, cudaStream_t stream);

/// Joins the slices of weighted column sums, and the heads where wanted, into one column of a product.
struct ProductFinish {
    int32_t tk, qHeads, batch, slices, joinHeads, columns, column;
    const float* sum;  // [slices, batch, heads, tk]
    Output out;
};
cudaError_t finishProduct(const ProductFinish& f, cudaStream_t stream);

/// Draws pixels that cover whole cells of 64 x 64.
struct PoolPicture {
    int32_t tq, tk, qHeads, head0, heads;
    int32_t row0, column0, rowCells, columnCells, height, width;  // in cells; cells of a pixel
    int32_t reduce;                                               // fv_tile_reduce
    const float *sum, *max;
    Output out;
};
cudaError_t drawPools(const PoolPicture& f, cudaStream_t stream);

/// Turns cells of 64 x 64 into means and maxima of blocks of a multiple of 64.
struct PoolFinish {
    int32_t tq, tk, block, qHeads, head0, heads;  // cells are [heads, ...], the first of them head0
    const float *sum, *max;
    Output mean, maximum;
};
cudaError_t finishPools(const PoolFinish& f, cudaStream_t stream);

/// Brings a given log-sum-exp into the kernels' form; `factor` turns it into base 2.
struct NormaliserCopy {
    const float* given;
    int64_t strideB, strideH, strideT;
    float factor;
    int32_t tq, qHeads, heads;
    float* negLse;  // null: not wanted
    Output lse;
};
cudaError_t readNormaliser(const NormaliserCopy& c, cudaStream_t stream);

/// The rules from which the visible keys of each query follow; sequence offsets are on the device.
struct SpanRules {
    int32_t tk, causal;
    int64_t qOffset, prefix, windowLeft, windowRight;
    const int32_t *seqQ, *seqK;
    int32_t sequences;
};
cudaError_t fillSpans(const SpanRules& rules, Span* spans, int tq, cudaStream_t stream);

}  // namespace fovea::kernels::cuda
