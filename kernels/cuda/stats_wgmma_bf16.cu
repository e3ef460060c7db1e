#include "cuda/fast_pass.h"
#include "cuda/stats_wgmma.cuh"

namespace fovea::kernels::cuda {

cudaError_t runWgmmaBf16(FastMode mode, const FastPass& pass, cudaStream_t stream) {
    return launchWgmmaOf<Bfloat>(mode, pass, stream);
}

}  // namespace fovea::kernels::cuda
