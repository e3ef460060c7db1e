// Which columns a line sees: always one interval, whatever masks are on, apart from key padding and bias.
#pragma once

#include <cstdint>

#include "fovea/kernels/statistics.h"

namespace fovea::kernels::cpu {

struct Span {
    int64_t low, high;  // [low, high)
};

/// Keys that query `query` may see.
Span visibleKeys(const fv_problem& problem, int64_t query);
/// Queries that may see key `key` of batch entry `batch`.
Span visibleQueries(const fv_problem& problem, int64_t batch, int64_t key);

}  // namespace fovea::kernels::cpu
