// The C interface of Fovea's own kernels: raw pointers, explicit strides, a status instead of exceptions.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "fovea/kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/// One attention problem in float64, contiguous, for references: queries [heads, tq, d], keys [kv_heads, tk, d],
/// additive bias [heads, tq, tk] or null; logits are scale * q.k + bias; causal masks keys after query + q_offset.
typedef struct fv_reference_problem {
    const double* query;
    const double* key;
    const double* bias;
    int64_t heads, kv_heads, tq, tk, d;
    double scale;
    int causal;
    int64_t q_offset;
} fv_reference_problem;

/// Outputs of the float64 reference; each may be null when it is not wanted.
typedef struct fv_reference_result {
    double* probs;    // [heads, tq, tk]
    double* lse;      // [heads, tq], natural log; -inf for a fully masked row
    double* entropy;  // [heads, tq], nats
    double* rowmax;   // [heads, tq], the largest probability
    double* colsum;   // [heads, tk]
    double* colmax;   // [heads, tk]
} fv_reference_result;

/// Softmax attention statistics by plain loops in float64 with long double row sums: the yardstick of every other route.
fv_status fv_reference_attention(const fv_reference_problem* problem, const fv_reference_result* result);

/// Name and memory of one CUDA device.
typedef struct fv_device_info {
    char name[256];
    int64_t total_bytes;
    int64_t free_bytes;
    int major, minor;  // compute capability
} fv_device_info;

/// Number of CUDA devices that can be used; 0 without CUDA.
int fv_device_count(void);

/// Fills `info` for device `index`; FV_NO_DEVICE when there is none of that index.
fv_status fv_get_device_info(int index, fv_device_info* info);

#ifdef __cplusplus
}
#endif
