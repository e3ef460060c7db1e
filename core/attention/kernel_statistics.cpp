#include "attention/kernel_statistics.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "fovea/error.h"
#include "fovea/kernels/statistics.h"

#if AT_PARALLEL_OPENMP && !defined(_OPENMP)
#error "without OpenMP at::parallel_for would run on one thread"
#endif

namespace fovea {
namespace {

// Below this a bias stands for a mask. A row that has nothing else is uniform in LibTorch's softmax; the
// kernels' sums in base 2 would overflow.
constexpr double hugeBias = -1e30;

std::optional<fv_dtype> kernelType(at::ScalarType type) {
    switch (type) {
        case at::kFloat: return FV_F32;
        case at::kHalf: return FV_F16;
        case at::kBFloat16: return FV_BF16;
        default: return std::nullopt;
    }
}

// The tensors that a problem points to.
struct Operands {
    at::Tensor query, key, bias;
};

fv_operand operandOf(const at::Tensor& tensor) {
    return {tensor.const_data_ptr(), 0, tensor.stride(1), tensor.stride(2)};
}

at::Tensor rowsContiguous(const at::Tensor& tensor) {
    const bool usable =
        tensor.stride(3) == 1 && (tensor.size(1) == 1 || tensor.stride(1) > 0) && tensor.stride(2) > 0;
    return usable ? tensor : tensor.contiguous();
}

at::Tensor biasOf(const AttentionCall& call) {
    if (!call.bias.defined()) return {};
    const at::Tensor bias = biasOfRankFour(call).to(at::kFloat);
    return bias.narrow(0, 0, 1).expand({1, call.query.size(1), call.query.size(2), call.key.size(2)});
}

std::string reasonAgainst(const AttentionCall& call, const StatisticsOptions& options) {
    const at::ScalarType type = call.query.scalar_type();
    if (!kernelType(type)) return fmt::format("no {} kernel", c10::toString(type));
    if (call.key.scalar_type() != type) return "queries and keys differ in type";
    if (!call.query.device().is_cpu()) return "not on the CPU";
    if (call.segments) return "attention within segments";
    if (call.query.size(3) > 256) return "a head size over 256";
    if (options.pooledBlock < 8 || options.pooledBlock > 512) return "a pooled block outside 8 to 512";
    if (call.bias.defined() && call.bias.numel() && call.bias.min().item<double>() < hugeBias)
        return "a mask of huge negative numbers";
    return {};
}

fv_problem problemOf(const AttentionCall& call, const Operands& operands) {
    fv_problem problem{};
    problem.struct_size = sizeof problem;
    problem.dtype = *kernelType(call.query.scalar_type());
    problem.batch = 1;
    problem.q_heads = call.query.size(1);
    problem.kv_heads = call.key.size(1);
    problem.tq = call.query.size(2);
    problem.tk = call.key.size(2);
    problem.d = call.query.size(3);
    problem.query = operandOf(operands.query);
    problem.key = operandOf(operands.key);
    problem.scale = static_cast<float>(call.scale);
    problem.softcap = static_cast<float>(call.softcap);
    problem.causal = call.causal ? 1 : 0;
    problem.q_offset = call.queryOffset;
    problem.prefix = call.prefix;
    problem.window_left = call.causal ? call.windowLeft : -1;
    problem.window_right = -1;
    if (operands.bias.defined()) {
        problem.bias = operands.bias.const_data_ptr<float>();
        problem.bias_stride_h = operands.bias.stride(1);
        problem.bias_stride_q = operands.bias.stride(2);
        problem.bias_stride_k = operands.bias.stride(3);
    }
    return problem;
}

void parallelFor(void*, std::int64_t parts, void (*body)(void*, std::int64_t), void* argument) {
    at::parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t part = begin; part < end; ++part) body(argument, part);
    });
}

fv_output outputOf(Array& array) {
    std::int64_t size = 1;
    for (std::size_t axis = 1; axis < array.shape.size(); ++axis) size *= array.shape[axis];
    return {array.values.data(), 0, size};
}

// Rows that see fewer than k keys go on with the first keys that they do not see, at probability 0, as a sort
// would.
void fillIndices(const std::vector<std::int32_t>& found, std::int64_t k, Array& out) {
    for (std::size_t row = 0; row * static_cast<std::size_t>(k) < found.size(); ++row) {
        const std::int32_t* begin = found.data() + row * static_cast<std::size_t>(k);
        float* to = out.values.data() + row * static_cast<std::size_t>(k);
        std::int32_t next = 0;
        for (std::int64_t i = 0; i < k; ++i) {
            if (begin[i] < 0)
                while (std::find(begin, begin + i, next) != begin + i) ++next;
            to[i] = static_cast<float>(begin[i] < 0 ? next++ : begin[i]);
        }
    }
}

}  // namespace

std::optional<SiteStatistics> kernelStatistics(const SiteRecord& record, const StatisticsOptions& options,
                                               std::string& declined) {
    const AttentionCall& call = record.call;
    declined = reasonAgainst(call, options);
    if (!declined.empty()) return std::nullopt;
    const Operands operands{rowsContiguous(call.query), rowsContiguous(call.key), biasOf(call)};
    const fv_problem problem = problemOf(call, operands);
    SiteStatistics out = emptyStatistics(record, problem.q_heads, options);
    const std::int64_t k = out.topkIndex.shape[2];
    std::vector<std::int32_t> topk(out.topkIndex.values.size());

    fv_stats_request request{};
    request.struct_size = sizeof request;
    request.col_sum = outputOf(out.colsum);
    request.col_max = outputOf(out.colmax);
    request.row_entropy = outputOf(out.entropy);
    request.row_max = outputOf(out.rowmax);
    request.topk = k;
    request.topk_value = outputOf(out.topkValue);
    request.topk_index = {topk.data(), 0, problem.tq * k};
    request.block = options.pooledBlock;
    request.pooled_mean = outputOf(out.pooled);

    std::array<char, 256> message{};
    fv_exec exec{};
    exec.struct_size = sizeof exec;
    exec.threads = at::get_num_threads();
    exec.parallel_for = parallelFor;
    exec.message = message.data();
    exec.message_size = message.size();

    std::size_t bytes = 0;
    fv_status status = fv_stats_workspace(&problem, &request, &exec, &bytes);
    if (status == FV_OK) {
        const at::Tensor workspace = at::empty({static_cast<std::int64_t>(bytes)}, at::kByte);
        status = fv_stats_run(&problem, &request, &exec, workspace.mutable_data_ptr(), bytes);
    }
    if (status != FV_OK) {
        declined = message[0] ? message.data() : fv_status_text(status);
        return std::nullopt;
    }
    fillIndices(topk, k, out.topkIndex);
    out.route = "kernel";
    return out;
}

}  // namespace fovea
