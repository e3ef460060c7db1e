#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "attention/attention_operator.h"
#include "fovea/kernels/statistics.h"

namespace fovea {

/// Part of a call that one kernel call is about.
struct KernelPart {
    std::vector<std::int64_t> heads;  ///< of the queries, in any order
    std::int64_t queryBegin = 0, queryEnd = 0;
};

/// All heads and queries of a call.
KernelPart wholeCall(const AttentionCall& call);

/// Why the kernels cannot read a call (dtype, device, head size, a mask of huge negative numbers); "" when they
/// can. Reads the bias, so that the answer is worth keeping.
std::string kernelsDecline(const AttentionCall& call);

/// The same for statistics of all queries, which the kernels also find within segments.
std::string statisticsDecline(const AttentionCall& call);

/// Whether a query's mask depends on its position among the queries.
bool countsPositions(const AttentionCall& call);

/// A part of a call as the kernels take it, with the tensors that the problem points to. Queries keep their
/// positions: query i of the problem is query queryBegin + i of the call. Within segments the part has all queries,
/// and token i of the problem is token segments->order()[i] of the call.
class KernelProblem {
public:
    KernelProblem(const AttentionCall& call, const KernelPart& part);

    /// Gives the kernels a log-sum-exp of the whole call, fp32 [heads, query] on its device.
    void giveLse(const at::Tensor& lse, const KernelPart& part);
    /// Gives the kernels V, or V and the gradient dO [1, heads, query, value_dim] of the output.
    void giveValues(const AttentionCall& call, const KernelPart& part, const at::Tensor& gradient = {});

    const fv_problem& problem() const { return m_problem; }
    at::Device device() const { return m_query.device(); }

private:
    void setSegments(const AttentionSegments& segments);

    fv_problem m_problem{};
    at::Tensor m_query, m_key, m_value, m_gradient, m_bias, m_lse, m_bounds;
};

/// Bytes of scratch that a request takes; 0 where the kernels refuse it.
template <typename Request>
std::uint64_t kernelScratch(const fv_problem& problem, const Request& request, const at::Device& device);

/// Runs a request where its problem lies; true when the outputs are there (on CUDA: queued). `declined` says why
/// not.
template <typename Request>
bool runKernel(const fv_problem& problem, const Request& request, const at::Device& device,
               std::string& declined);

/// Scratch that one kernel call may take before its heads are split into chunks.
constexpr std::uint64_t kernelScratchCap = std::uint64_t{256} << 20;

}  // namespace fovea
