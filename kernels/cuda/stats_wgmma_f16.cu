#include "cuda/fast_pass.h"
#include "cuda/stats_wgmma.cuh"

namespace fovea::kernels::cuda {

cudaError_t runWgmmaF16(FastMode mode, const FastPass& pass, cudaStream_t stream) {
    return launchWgmmaOf<Half>(mode, pass, stream);
}

}  // namespace fovea::kernels::cuda
