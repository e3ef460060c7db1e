// Exact statistics of softmax attention from Q, K and the log-sum-exp, without ever storing a [query, key] matrix: the
// same calls on the CPU and on CUDA.
//
// A call reads a problem (what is attended), a request (what is wanted) and an execution (where and how it runs). It
// allocates nothing, keeps no state, never throws, and on CUDA never synchronises: work is queued on the stream.
// Results do not depend on the number of threads, on the launch configuration or on what else was asked for.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "fovea/kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Element type of queries, keys, values and gradients; all sums are made in fp32.
typedef enum fv_dtype { FV_F32 = 0, FV_F16 = 1, FV_BF16 = 2 } fv_dtype;

/// A read-only tensor [batch, heads, tokens, dim]: strides in elements, dim contiguous; a batch stride may be 0, a
/// head stride may be 0 only with one head.
typedef struct fv_operand {
    const void* data;
    int64_t stride_b, stride_h, stride_t;
} fv_operand;

/// One attention problem: logit[i, j] = softcap(scale * q_i . k_j) + bias[i, j] where key j is visible to query i, else
/// -inf, with softcap(s) = cap * tanh(s / cap); query head h reads key head h / (q_heads / kv_heads).
typedef struct fv_problem {
    size_t struct_size;                                ///< sizeof(fv_problem)
    fv_dtype dtype;
    int64_t batch, q_heads, kv_heads, tq, tk, d, dv;  ///< d and dv 1 to 256; dv is the size of values, 0 for d
    fv_operand query, key;
    fv_operand value, grad_output;                     ///< only for fv_forward and fv_relevance
    float scale;
    float softcap;                                     ///< 0: none

    /// Log-sum-exp of the visible logits, [batch, q_heads, tq], strides in elements; null: computed first.
    const float* lse;
    int64_t lse_stride_b, lse_stride_h, lse_stride_t;
    int lse_is_log2;                                   ///< 1: base 2, else natural

    /// Key j is visible to query i when its position j passes every test that is on, with p = i + q_offset:
    /// causal: j <= p, or j < prefix; window: p - window_left <= j <= p + window_right (-1: no bound).
    int causal;
    int64_t q_offset;
    int64_t prefix;                                    ///< keys that every query sees under causal (prefix-LM); 0: none
    int64_t window_left, window_right;
    const uint8_t* key_visible;                        ///< [batch, tk] bytes, 0 hides the key; null: all visible
    int64_t key_visible_stride_b;
    /// Block-diagonal attention: query i sees only keys of its own sequence. Each array holds sequences + 1 rising
    /// offsets from 0 to tq and tk; causal and window positions then count from the start of the sequence. On CUDA
    /// these two arrays are host memory up to 4096 sequences. Null: one sequence.
    const int32_t *cu_seqlens_q, *cu_seqlens_k;
    int64_t sequences;
    const float* bias;                                 ///< [batch, q_heads, tq, tk]; any stride may be 0; null: none
    int64_t bias_stride_b, bias_stride_h, bias_stride_q, bias_stride_k;
} fv_problem;

/// Which back end runs a call.
typedef enum fv_exec_kind { FV_CPU = 0, FV_CUDA = 1 } fv_exec_kind;

/// Where a call runs; zero-initialised it means the CPU with one thread at the best level of this machine.
typedef struct fv_exec {
    size_t struct_size;                                ///< sizeof(fv_exec)
    fv_exec_kind kind;
    int device;                                        ///< CUDA: index
    void* stream;                                      ///< CUDA: cudaStream_t; null is the default stream
    int threads;                                       ///< CPU: at most this many parts run at once; 0 means 1
    /// CPU: runs body(argument, part) for part 0..parts-1, in any order and in parallel; null: fv starts no thread and
    /// runs the parts one after the other.
    void (*parallel_for)(void* context, int64_t parts, void (*body)(void* argument, int64_t part), void* argument);
    void* parallel_context;
    int cpu_level;                                     ///< CPU: an FV_LEVEL_*; a level this machine lacks is refused
    const volatile int* cancel;                        ///< polled between key blocks (CPU) or launches (CUDA); non-zero stops
    char* message;                                     ///< receives the reason of a refusal; may be null
    size_t message_size;
} fv_exec;

/// Instruction sets of the CPU back end.
enum { FV_LEVEL_BEST = 0, FV_LEVEL_SCALAR = 1, FV_LEVEL_AVX2 = 2, FV_LEVEL_AVX512 = 3, FV_LEVEL_AVX512_BF16 = 4 };

/// The best level that this processor and this build offer.
int fv_cpu_level(void);

/// An output array of one batch entry and head each: strides in elements between batches and heads, contiguous within;
/// null data: not wanted.
typedef struct fv_output {
    void* data;
    int64_t stride_b, stride_h;
} fv_output;

/// Statistics over the whole probability matrix A of every head. A query that sees no key counts nowhere: its sums are
/// 0, its entropy 0, its argmax -1. Among equals the smallest index wins.
typedef struct fv_stats_request {
    size_t struct_size;                                ///< sizeof(fv_stats_request)
    fv_output lse;                                     ///< fp32 [tq], natural log, -inf for a query without keys
    fv_output col_sum, col_max;                        ///< fp32 [tk]
    fv_output col_argmax;                              ///< int32 [tk], the query that looks at the key most; -1: all give 0
    fv_output row_max, row_entropy, row_sum;           ///< fp32 [tq]; entropy in nats; row_sum is 1 within 2e-5 (a check)
    fv_output row_argmax;                              ///< int32 [tq]
    fv_output topk_value;                              ///< fp32 [tq, topk], descending; 0 where a row has fewer keys
    fv_output topk_index;                              ///< int32 [tq, topk]; -1 where a row has fewer keys
    int64_t topk;                                      ///< 1 to 64
    fv_output col_topk_value, col_topk_index;          ///< fp32 and int32 [tk, col_topk]: the queries that look most
    int64_t col_topk;                                  ///< 1 to 64
    fv_output pooled_mean, pooled_max;                 ///< fp32 [ceil(tq / block), ceil(tk / block)]
    int64_t block;                                     ///< 8 to 512; the mean is over all cells inside the matrix
    const int32_t* key_group;                          ///< [tk] group of each key, 0..groups-1, or -1 for none
    int64_t groups;                                    ///< 1 to 32
    fv_output group_mass;                              ///< fp32 [tq, groups]
    int32_t* flags;                                    ///< one word, set to 0 or FV_SAW_NONFINITE; may be null
} fv_stats_request;

/// Set in `flags` where a logit was NaN or +inf; the outputs are defined but meaningless there.
enum { FV_SAW_NONFINITE = 1 };

/// Exact bytes of workspace that fv_stats_run needs; depends on shapes, on what is wanted and on exec->threads only.
fv_status fv_stats_workspace(const fv_problem*, const fv_stats_request*, const fv_exec*, size_t* bytes);

/// Computes the requested statistics; `workspace` is 64-byte aligned memory of at least the reported size.
fv_status fv_stats_run(const fv_problem*, const fv_stats_request*, const fv_exec*, void* workspace, size_t bytes);

/// How heads are joined, cell by cell, before anything is written; NONE keeps one map per head.
typedef enum fv_head_reduce { FV_HEADS_NONE = 0, FV_HEADS_MEAN = 1, FV_HEADS_MAX = 2, FV_HEADS_MIN = 3 } fv_head_reduce;

/// Chosen rows or columns of A, exact: exactly one of `rows` and `columns` is given.
typedef struct fv_lines_request {
    size_t struct_size;                                ///< sizeof(fv_lines_request)
    const int32_t* rows;                               ///< [count] query indices, in any order
    const int32_t* columns;                            ///< [count] key indices
    int64_t count;                                     ///< 1 to 4096
    fv_head_reduce heads;
    fv_output out;                                     ///< fp32 rows: [count, tk]; columns: [count, tq]; stride_h unused if joined
} fv_lines_request;

/// Exact bytes of workspace that fv_lines_run needs; depends on shapes, on what is wanted and on exec->threads only.
fv_status fv_lines_workspace(const fv_problem*, const fv_lines_request*, const fv_exec*, size_t* bytes);
/// Writes the chosen rows or columns.
fv_status fv_lines_run(const fv_problem*, const fv_lines_request*, const fv_exec*, void* workspace, size_t bytes);

/// What one pixel of a tile shows of the cells under it.
typedef enum fv_tile_reduce { FV_TILE_MEAN = 0, FV_TILE_MAX = 1, FV_TILE_SUM = 2 } fv_tile_reduce;

/// The rectangle of A with queries [row_begin, row_end) and keys [column_begin, column_end), drawn into height x width
/// pixels. Pixel (y, x) covers the cells of an equal share of the rectangle; a cell cut by its edge counts by the part
/// inside (mean, sum) or fully (max). A tile may be larger than its rectangle: pixels then repeat cells.
typedef struct fv_tile_request {
    size_t struct_size;                                ///< sizeof(fv_tile_request)
    int64_t row_begin, row_end, column_begin, column_end;
    int64_t height, width;                             ///< 1 to 4096
    fv_tile_reduce reduce;
    fv_head_reduce heads;
    fv_output out;                                     ///< fp32 [height, width]
} fv_tile_request;

/// Exact bytes of workspace that fv_tile_run needs; depends on shapes, on what is wanted and on exec->threads only.
fv_status fv_tile_workspace(const fv_problem*, const fv_tile_request*, const fv_exec*, size_t* bytes);
/// Draws one tile.
fv_status fv_tile_run(const fv_problem*, const fv_tile_request*, const fv_exec*, void* workspace, size_t bytes);

/// A few weighted sums: out = A X with X [tk, columns] (transposed 0), or out = A^T X with X [tq, columns] (1).
typedef struct fv_product_request {
    size_t struct_size;                                ///< sizeof(fv_product_request)
    int transposed;
    int64_t columns;                                   ///< 1 to 8
    const float* x;                                    ///< rows of `columns` contiguous fp32; both strides may be 0
    int64_t x_stride_b, x_stride_h;
    int mean_heads;                                    ///< 1: out is the mean over heads, [batch]; else one per head
    fv_output out;                                     ///< fp32 [tq, columns], or [tk, columns] when transposed
} fv_product_request;

/// Exact bytes of workspace that fv_product_run needs; depends on shapes, on what is wanted and on exec->threads only.
fv_status fv_product_workspace(const fv_problem*, const fv_product_request*, const fv_exec*, size_t* bytes);
/// Computes the product; A^T X for 32 k tokens costs about one statistics pass.
fv_status fv_product_run(const fv_problem*, const fv_product_request*, const fv_exec*, void* workspace, size_t bytes);

/// Which part of A * dA a relevance product keeps.
typedef enum fv_relevance_part { FV_POSITIVE = 0, FV_SIGNED = 1, FV_ABSOLUTE = 2 } fv_relevance_part;

/// Gradient relevance (Chefer et al. 2021, eq. 5): out = E^T X, E = mean over heads of part(A * dA), dA = dO V^T.
typedef struct fv_relevance_request {
    size_t struct_size;                                ///< sizeof(fv_relevance_request)
    fv_relevance_part part;
    int64_t columns;                                   ///< 1 to 8
    const float* x;                                    ///< [batch, tq, columns]
    int64_t x_stride_b;
    fv_output out;                                     ///< fp32 [tk, columns] a batch entry
} fv_relevance_request;

/// Exact bytes of workspace that fv_relevance_run needs; depends on shapes, on what is wanted and on exec->threads only.
fv_status fv_relevance_workspace(const fv_problem*, const fv_relevance_request*, const fv_exec*, size_t* bytes);
/// Computes the relevance product; reads value and grad_output.
fv_status fv_relevance_run(const fv_problem*, const fv_relevance_request*, const fv_exec*, void* workspace,
                           size_t bytes);

/// How an edit changes A; F is the factor of the key's group for this head and query.
typedef enum fv_edit_kind {
    FV_EDIT_NONE = 0,
    FV_EDIT_SCALE = 1,         ///< A' = A F: row sums change
    FV_EDIT_RENORMALISE = 2,   ///< A' = A F / sum(A F), the same as adding log F to the logits; rows of sum 0 become 0
} fv_edit_kind;

/// The forward pass with group factors (one edit engine for calibration, pruning and knock-outs).
typedef struct fv_forward_request {
    size_t struct_size;                                ///< sizeof(fv_forward_request)
    fv_edit_kind edit;
    const int32_t* key_group;                          ///< [tk] group of each key, or -1 for factor 1
    int64_t groups;                                    ///< 1 to 32
    const float* factor;                               ///< F >= 0, [batch, q_heads, tq, groups]; any stride may be 0
    int64_t factor_stride_b, factor_stride_h, factor_stride_q, factor_stride_g;
    fv_output out;                                     ///< dtype of the problem, [tq, dv]
    int64_t out_stride_t;                              ///< elements between tokens of `out`
    fv_output lse;                                     ///< fp32 [tq], of the logits before any edit
    fv_output group_mass;                              ///< fp32 [tq, groups], sums of A before any edit
    fv_output row_max, row_entropy;                    ///< fp32 [tq], of A before any edit
} fv_forward_request;

/// Exact bytes of workspace that fv_forward_run needs; depends on shapes, on what is wanted and on exec->threads only.
fv_status fv_forward_workspace(const fv_problem*, const fv_forward_request*, const fv_exec*, size_t* bytes);
/// Computes the outputs, and the statistics of A before the edit; reads value.
fv_status fv_forward_run(const fv_problem*, const fv_forward_request*, const fv_exec*, void* workspace, size_t bytes);

#ifdef __cplusplus
}
#endif
