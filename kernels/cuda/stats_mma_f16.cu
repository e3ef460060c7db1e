#include "cuda/fast_pass.h"
#include "cuda/stats_mma.cuh"

namespace fovea::kernels::cuda {

cudaError_t runMmaF16(FastMode mode, const FastPass& pass, cudaStream_t stream) {
    return launchMmaOf<Half>(mode, pass, stream);
}

}  // namespace fovea::kernels::cuda
