#include "cuda/forward.cuh"

namespace fovea::kernels::cuda {

cudaError_t runForward(int dtype, const Problem& p, const ForwardOut& out, cudaStream_t stream) {
    if (dtype == 0) return launchForwardOf<float>(p, out, stream);
    if (dtype == 1) return launchForwardOf<Half>(p, out, stream);
    return launchForwardOf<Bfloat>(p, out, stream);
}

}  // namespace fovea::kernels::cuda
