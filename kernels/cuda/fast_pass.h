// Launchers of the fast pass, one translation unit each.
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/device/fast.h"

namespace fovea::kernels::cuda {

cudaError_t runMmaBf16(FastMode mode, const FastPass& pass, cudaStream_t stream);
cudaError_t runMmaF16(FastMode mode, const FastPass& pass, cudaStream_t stream);
/// The same on wgmma; only for devices of compute capability 9.0, bf16 and f16 with d a multiple of 8 up to
/// 128.
cudaError_t runWgmmaBf16(FastMode mode, const FastPass& pass, cudaStream_t stream);
cudaError_t runWgmmaF16(FastMode mode, const FastPass& pass, cudaStream_t stream);

}  // namespace fovea::kernels::cuda
