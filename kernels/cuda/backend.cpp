#include "dispatch/backend.h"

#include "cuda/calls.h"

namespace fovea::kernels {

const Backend& cudaBackend() {
    static const Backend backend{
        {cuda::statsWorkspace, cuda::statsRun},         {cuda::linesWorkspace, cuda::linesRun},
        {cuda::tileWorkspace, cuda::tileRun},           {cuda::productWorkspace, cuda::productRun},
        {cuda::relevanceWorkspace, cuda::relevanceRun}, {cuda::forwardWorkspace, cuda::forwardRun}};
    return backend;
}

}  // namespace fovea::kernels
