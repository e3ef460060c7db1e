// The calls of the CPU back end, one source file each.
#pragma once

#include "cpu/context.h"

namespace fovea::kernels::cpu {

fv_status statsWorkspace(const fv_problem&, const fv_stats_request&, const fv_exec&, size_t* bytes);
fv_status statsRun(const fv_problem&, const fv_stats_request&, const fv_exec&, void* workspace, size_t bytes);
fv_status linesWorkspace(const fv_problem&, const fv_lines_request&, const fv_exec&, size_t* bytes);
fv_status linesRun(const fv_problem&, const fv_lines_request&, const fv_exec&, void* workspace, size_t bytes);
fv_status tileWorkspace(const fv_problem&, const fv_tile_request&, const fv_exec&, size_t* bytes);
fv_status tileRun(const fv_problem&, const fv_tile_request&, const fv_exec&, void* workspace, size_t bytes);
fv_status productWorkspace(const fv_problem&, const fv_product_request&, const fv_exec&, size_t* bytes);
fv_status productRun(const fv_problem&, const fv_product_request&, const fv_exec&, void* workspace,
                     size_t bytes);
fv_status relevanceWorkspace(const fv_problem&, const fv_relevance_request&, const fv_exec&, size_t* bytes);
fv_status relevanceRun(const fv_problem&, const fv_relevance_request&, const fv_exec&, void* workspace,
                       size_t bytes);
fv_status forwardWorkspace(const fv_problem&, const fv_forward_request&, const fv_exec&, size_t* bytes);
fv_status forwardRun(const fv_problem&, const fv_forward_request&, const fv_exec&, void* workspace,
                     size_t bytes);

}  // namespace fovea::kernels::cpu
