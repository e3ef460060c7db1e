#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "attention/segments.h"
#include "fovea/attention_trace.h"
#include "fovea/intervention.h"

namespace fovea {

/// One attention call of a model: tensors of one item, after rotary embeddings and norms.
struct AttentionCall {
    int site = 0;             ///< index into ModelSpec::sites
    at::Tensor query;         // [1, heads, query, head_dim]
    at::Tensor key;           // [1, kv_heads, key, head_dim]
    at::Tensor value;         // [1, kv_heads, key, value_dim]
    at::Tensor bias;          // additive, broadcastable to [1, heads, query, key], or undefined
    double scale = 1;         ///< logits = scale * q.k, then softcap, then bias
    double softcap = 0;       ///< 0 means none
    bool causal = false;
    std::int64_t queryOffset = 0;  ///< position of query 0 among the keys, for causal calls
    /// Causal calls: query i at position p = i + queryOffset sees key j where p - windowLeft <= j (-1: no bound) and
    /// j <= p or j < prefix (prefix-LM).
    std::int64_t windowLeft = -1;
    std::int64_t prefix = 0;
    /// Runs of tokens that attention stays within (then without bias or causal mask); null: one sequence.
    std::shared_ptr<const AttentionSegments> segments;
    bool cached = false;  ///< keys and values are those of the run's cache
    /// Of the output projection, [hidden, heads * value_dim]; for value-weighted statistics.
    at::Tensor outputWeight;
};

/// The bias of a call with all four axes, each full or of size 1; the call must have one.
at::Tensor biasOfRankFour(const AttentionCall& call);

/// A block of heads and query rows of a call.
struct RowBlock {
    std::int64_t headBegin = 0, headEnd = 0;
    std::int64_t queryBegin = 0, queryEnd = 0;
};

/// How probabilities come from Q and K: one file of core/operators. Stateless.
class AttentionOperator {
public:
    virtual ~AttentionOperator() = default;

    /// Logits entering the softmax, after scale, soft cap, bias and mask, in fp32 (float64 stays), for a
    /// block of rows: [heads, rows, key].
    virtual at::Tensor logits(const AttentionCall& call, const RowBlock& block) const = 0;

    /// Whether the logits are just what the call says (scale, soft cap, bias, causal mask), so that the kernels
    /// can compute them from Q and K.
    virtual bool followsCall() const { return false; }
};

/// Dense softmax attention (core/operators/dense.cpp), the operator of every site that names no other.
std::shared_ptr<const AttentionOperator> makeDenseOperator();

}  // namespace fovea
