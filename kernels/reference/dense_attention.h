// The whole probability matrix in float64, from the definition of a problem: the yardstick of the statistics
// kernels.
#pragma once

#include <vector>

#include "fovea/kernels/statistics.h"

namespace fovea::kernels {

/// Matrices [batch, q_heads, tq, tk] and rows [batch, q_heads, tq] of a problem; the log-sum-exp is natural
/// and -inf for a query without keys. The problem's own log-sum-exp is not read.
struct DenseAttention {
    int64_t batch, heads, tq, tk;
    std::vector<double> probs, lse;

    double at(int64_t b, int64_t h, int64_t i, int64_t j) const {
        return probs[((b * heads + h) * tq + i) * tk + j];
    }
    const double* row(int64_t b, int64_t h, int64_t i) const {
        return &probs[((b * heads + h) * tq + i) * tk];
    }
};

/// True when key `key` is visible to query `query`, tested mask by mask as the problem's declaration lists
/// them.
bool denseVisible(const fv_problem& problem, int64_t batch, int64_t query, int64_t key);

/// Plain loops with long double row sums; host memory, at most a few thousand tokens.
DenseAttention denseAttention(const fv_problem& problem);

/// Element `c` of a token of an operand, as float64.
double denseElement(const fv_operand& operand, fv_dtype dtype, int64_t b, int64_t h, int64_t token,
                    int64_t c);

/// Outputs [batch, q_heads, tq, dv] of a forward pass with an edit; factors are read as the request describes
/// them.
std::vector<double> denseForward(const fv_problem& problem, const fv_forward_request& request,
                                 const DenseAttention& dense);

/// E^T X of a relevance request, [batch, tk, columns].
std::vector<double> denseRelevance(const fv_problem& problem, const fv_relevance_request& request,
                                   const DenseAttention& dense);

/// Pixels [height, width] of a tile request for one batch entry; `head` is ignored when heads are joined.
std::vector<double> denseTile(const fv_tile_request& request, const DenseAttention& dense, int64_t b,
                              int64_t head);

}  // namespace fovea::kernels
