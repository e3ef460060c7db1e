// Pictures whose pixels cut cells of 64 x 64: what each pixel has of every query and key, and the picture made of the
// sums of its shares.
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/device/fast.h"
#include "cuda/generic.h"

namespace fovea::kernels::cuda {

/// Fills [tokens up to the next 64, kShares] for one axis; with `whole` any part counts as 1.
struct ShareFill {
    PixelAxis axis;
    int32_t tokens, whole;
    float* shares;
};
cudaError_t fillShares(const ShareFill& f, cudaStream_t stream);

/// Draws the sums (or maxima) of shares of heads head0 to head0 + heads; joined heads are added up in order over
/// several calls and divided by their number in the last.
struct SharePicture {
    PixelAxis y, x;
    int32_t tq, tk, qHeads, head0, heads;
    int32_t reduce, joinHeads;  // fv_tile_reduce; 1: the mean over all heads of a batch entry
    const float* shares;
    Output out;
};
cudaError_t drawShares(const SharePicture& f, cudaStream_t stream);

}  // namespace fovea::kernels::cuda
