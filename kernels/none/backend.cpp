// Stands in for the CUDA back end in a build without CUDA.
#include "dispatch/backend.h"

namespace fovea::kernels {

namespace {

template <class Request>
fv_status noWorkspace(const fv_problem&, const Request&, const fv_exec&, size_t*) {
    return FV_NO_DEVICE;
}

template <class Request>
fv_status noRun(const fv_problem&, const Request&, const fv_exec&, void*, size_t) {
    return FV_NO_DEVICE;
}

template <class Request>
constexpr Call<Request> kRefuse{noWorkspace<Request>, noRun<Request>};

}  // namespace

const Backend& cudaBackend() {
    static const Backend backend{kRefuse<fv_stats_request>,     kRefuse<fv_lines_request>,
                                 kRefuse<fv_tile_request>,      kRefuse<fv_product_request>,
                                 kRefuse<fv_relevance_request>, kRefuse<fv_forward_request>};
    return backend;
}

}  // namespace fovea::kernels
