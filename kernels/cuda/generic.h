// Launchers of the passes that take any problem; `dtype` as in fv_dtype. Problem::negLse is given unless
// said.
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/device/problem.h"

namespace fovea::kernels::cuda {

/// The row normaliser in base 2, negated, [batch * heads, tq], and as a natural logarithm where wanted.
struct NormaliserOut {
    float* negLse;
    Output lse;
};
cudaError_t runNormaliser(int dtype, const Problem& p, const NormaliserOut& out, cudaStream_t stream);

/// Statistics of every owner; entropy is meant for rows only.
struct StatisticsOut {
    Output sum, max, argmax, entropy;
    int32_t* flags;
};
cudaError_t runRowStatistics(int dtype, const Problem& p, const StatisticsOut& out, cudaStream_t stream);
cudaError_t runColumnStatistics(int dtype, const Problem& p, const StatisticsOut& out, cudaStream_t stream);

/// The k largest of every row, or of every column, in falling order.
struct TopkOut {
    Output value, index;
    int32_t k;
};
/// Bytes of shared memory that their thread blocks take: with fp32 and many dimensions more than some devices have.
int topkSharedBytes(int dtype, int d);
cudaError_t runRowTopk(int dtype, const Problem& p, const TopkOut& out, cudaStream_t stream);
cudaError_t runColumnTopk(int dtype, const Problem& p, const TopkOut& out, cudaStream_t stream);

/// Sums of every row over groups of keys, [tq, groups].
struct GroupOut {
    const int32_t* keyGroup;
    int32_t groups;
    Output mass;
};
cudaError_t runGroupMass(int dtype, const Problem& p, const GroupOut& out, cudaStream_t stream);

/// A X, or A^T X, with at most 8 columns; the mean over heads when joined.
struct ProductOut {
    const float* x;
    int64_t strideB, strideH;
    int32_t columns, joinHeads;
    Output out;
};
cudaError_t runProduct(int dtype, const Problem& p, const ProductOut& out, bool transposed,
                       cudaStream_t stream);

/// Chosen rows or columns; `heads` as in fv_head_reduce.
struct LinesOut {
    const int32_t* list;
    int32_t count, heads;
    Output out;
};
cudaError_t runLines(int dtype, const Problem& p, const LinesOut& out, bool columns, cudaStream_t stream);

/// One axis of a picture: pixel i covers the cells from begin + i * cells / pixels to where the next begins,
/// cut at `end`; there are `count` pixels.
struct PixelAxis {
    int64_t begin, cells, pixels, end, count;
};

/// A rectangle drawn into pixels; `reduce` as in fv_tile_reduce, `heads` as in fv_head_reduce.
struct TileOut {
    PixelAxis y, x;
    int32_t reduce, heads;
    Output out;
};
cudaError_t runTile(int dtype, const Problem& p, const TileOut& out, cudaStream_t stream);

/// E^T X with E the mean over heads of a part of A * dO V^T.
struct RelevanceOut {
    const float* x;
    int64_t strideB;
    int32_t columns, part;  // fv_relevance_part
    Output out;
};
cudaError_t runRelevance(int dtype, const Problem& p, const RelevanceOut& out, cudaStream_t stream);

/// The forward pass with factors per group of keys.
struct ForwardOut {
    int32_t edit;  // fv_edit_kind
    const int32_t* keyGroup;
    int32_t groups;
    const float* factor;
    int64_t factorB, factorH, factorQ, factorG;
    void* out;
    int64_t outB, outH, outT;
};
cudaError_t runForward(int dtype, const Problem& p, const ForwardOut& out, cudaStream_t stream);

}  // namespace fovea::kernels::cuda
