#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "attention/attention_operator.h"
#include "fovea/attention_trace.h"

namespace fovea {

/// What was recorded at one site. Tensors share storage with the run; nothing was copied.
struct SiteRecord {
    AttentionCall call;
    std::optional<SiteEdit> edit;  ///< with positions, not token indices
    at::Tensor lse;                // [1, heads, query], of the route
    at::Tensor attentionOutput;    // [1, query, hidden], or undefined
    at::Tensor headOutput;         // [1, heads, query, value_dim], or undefined
    at::Tensor outputGradient;     // [1, heads, query, value_dim], or undefined
    at::Tensor storedProbs;        // [heads, query, key], of replayed traces, or undefined
    bool storedEdited = false;     ///< storedProbs are those after edits that the record does not know
    bool biasMissing = false;      ///< a bias was added to the logits that the record does not hold
    std::vector<int> queryTokens, keyTokens;

    /// Whether Q, K and the bias, if there was one, give the logits.
    bool hasLogits() const { return call.query.defined() && call.key.defined() && !biasMissing; }
    /// Whether stored probabilities serve these weights; throws Error (Usage) where nothing does.
    bool usesStored(Weights weights) const;

    /// Log-sum-exp of the logits, [heads, query], fp32 or float64; computed once, then kept.
    at::Tensor exactLse(const AttentionOperator& op) const;

    /// Why the kernels do not serve these weights; "" when they do. What depends on the call alone is found
    /// once.
    std::string kernelsDecline(const AttentionOperator& op, Weights weights) const;
    /// The same for statistics of all queries, which the kernels also find within segments.
    std::string statisticsDecline(const AttentionOperator& op, Weights weights) const;
    /// Log-sum-exp by the kernels, fp32 [heads, query] on the device of Q, in the order of KernelProblem; computed
    /// once, then kept. Undefined for Lookup::None (rows then get theirs in passing), and when the logits are not
    /// finite, which kernelsDecline then says.
    enum class Lookup { None, Compute };
    at::Tensor kernelLse(Lookup wanted) const;

private:
    at::Tensor computeKernelLse() const;

    mutable std::mutex m_mutex;
    mutable at::Tensor m_exactLse, m_kernelLse;
    mutable std::optional<std::string> m_declined;  // of the call
};

struct AttentionTrace::Impl {
    ModelSpec spec;
    TokenMap tokens;
    std::string prefix;
    std::shared_ptr<const AttentionOperator> op;
    std::vector<int> order;  ///< recorded sites in order of execution
    std::map<int, std::shared_ptr<const SiteRecord>> records;
    std::map<std::pair<std::string, int>, at::Tensor> hidden;  // [1, tokens, hidden]
    std::map<std::string, at::Tensor> outputs;                 // with the batch axis
    std::map<std::string, at::Tensor> inputs;
    std::map<std::string, at::Tensor> taps;
    std::vector<std::shared_ptr<const AttentionTrace>> parts;

    const SiteRecord& record(int site) const;  ///< throws Error (Usage) when the site was not recorded
};

/// Copies a tensor to a float array; `dropBatch` removes a leading axis of size 1.
Array toArray(const at::Tensor& tensor, bool dropBatch = false);

/// Arrays of the right shapes, all zero.
SiteStatistics emptyStatistics(const SiteRecord& record, std::int64_t heads,
                               const StatisticsOptions& options);

/// Exact statistics of a site (core/attention/statistics.cpp).
SiteStatistics computeStatistics(const AttentionOperator& op, const SiteRecord& record,
                                 const StatisticsOptions& options);

/// Probabilities of a block of a record: stored ones, or computed from Q and K. [heads, rows, key], fp32 or
/// float64
at::Tensor recordedProbabilities(const AttentionOperator& op, const SiteRecord& record, const RowBlock& block,
                                 Weights weights);

/// Query rows that fit a scratch of 32 MiB for a number of heads.
std::int64_t rowsPerBlock(std::int64_t heads, std::int64_t keys);

}  // namespace fovea
