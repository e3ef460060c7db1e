// The calls of the CUDA back end (dispatch/backend.h lists them).
#pragma once

#include <cstddef>

#include "fovea/kernels/statistics.h"

namespace fovea::kernels::cuda {

/// Whether the launch grids hold the problem: 2^23 tokens, 65535 heads times batch entries.
bool fitsDevice(const fv_problem& p);

fv_status statsWorkspace(const fv_problem& p, const fv_stats_request& r, const fv_exec& exec, size_t* bytes);
fv_status statsRun(const fv_problem& p, const fv_stats_request& r, const fv_exec& exec, void* workspace,
                   size_t bytes);

fv_status linesWorkspace(const fv_problem& p, const fv_lines_request& r, const fv_exec& exec, size_t* bytes);
fv_status linesRun(const fv_problem& p, const fv_lines_request& r, const fv_exec& exec, void* workspace,
                   size_t bytes);

fv_status tileWorkspace(const fv_problem& p, const fv_tile_request& r, const fv_exec& exec, size_t* bytes);
fv_status tileRun(const fv_problem& p, const fv_tile_request& r, const fv_exec& exec, void* workspace,
                  size_t bytes);

fv_status productWorkspace(const fv_problem& p, const fv_product_request& r, const fv_exec& exec,
                           size_t* bytes);
fv_status productRun(const fv_problem& p, const fv_product_request& r, const fv_exec& exec, void* workspace,
                     size_t bytes);

fv_status relevanceWorkspace(const fv_problem& p, const fv_relevance_request& r, const fv_exec& exec,
                             size_t* bytes);
fv_status relevanceRun(const fv_problem& p, const fv_relevance_request& r, const fv_exec& exec,
                       void* workspace, size_t bytes);

fv_status forwardWorkspace(const fv_problem& p, const fv_forward_request& r, const fv_exec& exec,
                           size_t* bytes);
fv_status forwardRun(const fv_problem& p, const fv_forward_request& r, const fv_exec& exec, void* workspace,
                     size_t bytes);

}  // namespace fovea::kernels::cuda
