// What a back end offers to the C interface; the calls arrive checked (dispatch/checks.h).
#pragma once

#include "fovea/kernels/statistics.h"

namespace fovea::kernels {

/// The two halves of one kind of call. `workspace` sees a request whose pointers only say what is wanted;
/// `run` gets a workspace that is aligned, large enough and apart from every output.
template <class Request>
struct Call {
    fv_status (*workspace)(const fv_problem&, const Request&, const fv_exec&, size_t* bytes);
    fv_status (*run)(const fv_problem&, const Request&, const fv_exec&, void* workspace, size_t bytes);
};

/// Every call of one back end.
struct Backend {
    Call<fv_stats_request> stats;
    Call<fv_lines_request> lines;
    Call<fv_tile_request> tile;
    Call<fv_product_request> product;
    Call<fv_relevance_request> relevance;
    Call<fv_forward_request> forward;
};

const Backend& cpuBackend();
/// Answers FV_NO_DEVICE to every call in a build without CUDA.
const Backend& cudaBackend();

}  // namespace fovea::kernels
