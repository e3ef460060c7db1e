// The only file that turns attention calls into the kernels' problems and runs their calls.
#include "attention/kernel_call.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/min.h>
#include <ATen/ops/tensor.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <array>
#include <numeric>
#include <optional>

#include "fovea/error.h"
#include "fovea/kernels/kernels.h"

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

bool successive(const std::vector<std::int64_t>& heads) {
    for (std::size_t i = 1; i < heads.size(); ++i)
        if (heads[i] != heads[i - 1] + 1) return false;
    return true;
}

// Heads of a tensor [1, heads, ...]: a view where they follow each other, else a copy.
at::Tensor headsOf(const at::Tensor& tensor, const std::vector<std::int64_t>& heads) {
    if (successive(heads)) return tensor.narrow(1, heads.front(), static_cast<std::int64_t>(heads.size()));
    return tensor.index_select(1, at::tensor(heads, at::kLong).to(tensor.device()));
}

// The key heads of query heads: whole groups stay grouped, a part of one group shares its head, others get one
// each.
std::vector<std::int64_t> keyHeadsOf(const std::vector<std::int64_t>& heads, std::int64_t group) {
    const auto count = static_cast<std::int64_t>(heads.size());
    std::vector<std::int64_t> own;
    for (const std::int64_t head : heads) own.push_back(head / group);
    if (own.front() == own.back() && successive(heads)) return {own.front()};
    if (!successive(heads) || heads.front() % group != 0 || count % group != 0) return own;
    std::vector<std::int64_t> grouped(static_cast<std::size_t>(count / group));
    std::iota(grouped.begin(), grouped.end(), own.front());
    return grouped;
}

at::Tensor usable(const at::Tensor& tensor) {
    const bool fits =
        tensor.stride(3) == 1 && (tensor.size(1) == 1 || tensor.stride(1) > 0) &&
        (tensor.size(2) == 1 || tensor.stride(2) >= tensor.size(3));
    return fits ? tensor : tensor.contiguous();
}

fv_operand operandOf(const at::Tensor& tensor) {
    return {tensor.const_data_ptr(), 0, tensor.size(1) == 1 ? tensor.size(2) * tensor.size(3) : tensor.stride(1),
            tensor.stride(2)};
}

// In fp32, [1, heads of the part, rows of the part, keys]; axes of size 1 stay views.
at::Tensor biasOf(const AttentionCall& call, const KernelPart& part) {
    if (!call.bias.defined()) return {};
    at::Tensor bias = biasOfRankFour(call).narrow(0, 0, 1);
    if (bias.size(1) > 1) bias = headsOf(bias, part.heads);
    const std::int64_t rows = part.queryEnd - part.queryBegin;
    if (bias.size(2) > 1) bias = bias.narrow(2, part.queryBegin, rows);
    return bias.to(at::kFloat).expand(
        {1, static_cast<std::int64_t>(part.heads.size()), rows, call.key.size(2)});
}

// Which keys a query sees. Naming every field here makes a new one of AttentionCall an error until it is
// mapped to the kernels' masks.
void setLogits(const AttentionCall& call, const KernelPart& part, fv_problem& problem) {
    const auto& [site, query, key, value, bias, scale, softcap, causal, queryOffset, windowLeft, prefix, segments,
                 cached, outputWeight] = call;
    (void)site, (void)query, (void)key, (void)value, (void)bias, (void)segments, (void)cached, (void)outputWeight;
    problem.scale = static_cast<float>(scale);
    problem.softcap = static_cast<float>(softcap);
    problem.causal = causal ? 1 : 0;
    problem.q_offset = queryOffset + part.queryBegin;
    problem.prefix = prefix;
    problem.window_left = causal ? windowLeft : -1;
    problem.window_right = -1;
}

void parallelFor(void*, std::int64_t parts, void (*body)(void*, std::int64_t), void* argument) {
    at::parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t part = begin; part < end; ++part) body(argument, part);
    });
}

// The stream of LibTorch on this device; 0 is the default stream everywhere.
template <typename Stream>
void* handleOf(const Stream& stream) {
    if (stream.id() == 0) return nullptr;
    if constexpr (requires { stream.native_handle(); }) {
        return stream.native_handle();
    } else {
        throw Error("the attention kernels run on the default stream of a device only", {}, ErrorCode::Internal);
    }
}

// Where a call runs, and the text of a refusal.
struct Execution {
    explicit Execution(const at::Device& device) {
        exec.struct_size = sizeof exec;
        exec.message = message.data();
        exec.message_size = message.size();
        if (device.is_cuda()) {
            exec.kind = FV_CUDA;
            exec.device = device.index() < 0 ? 0 : device.index();
            exec.stream = handleOf(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
        } else {
            exec.threads = at::get_num_threads();
            exec.parallel_for = parallelFor;
        }
    }
    Execution(const Execution&) = delete;
    Execution& operator=(const Execution&) = delete;

    std::string reason(fv_status status) const { return message[0] ? message.data() : fv_status_text(status); }

    fv_exec exec{};
    std::array<char, 256> message{};
};

// The two functions of a kind of request.
template <typename Request>
struct Calls {
    fv_status (*workspace)(const fv_problem*, const Request*, const fv_exec*, size_t*);
    fv_status (*run)(const fv_problem*, const Request*, const fv_exec*, void*, size_t);
};

Calls<fv_stats_request> callsOf(const fv_stats_request&) { return {fv_stats_workspace, fv_stats_run}; }
Calls<fv_lines_request> callsOf(const fv_lines_request&) { return {fv_lines_workspace, fv_lines_run}; }
Calls<fv_tile_request> callsOf(const fv_tile_request&) { return {fv_tile_workspace, fv_tile_run}; }
Calls<fv_product_request> callsOf(const fv_product_request&) { return {fv_product_workspace, fv_product_run}; }
Calls<fv_relevance_request> callsOf(const fv_relevance_request&) {
    return {fv_relevance_workspace, fv_relevance_run};
}
Calls<fv_forward_request> callsOf(const fv_forward_request&) { return {fv_forward_workspace, fv_forward_run}; }

}  // namespace

KernelPart wholeCall(const AttentionCall& call) {
    KernelPart part;
    part.heads.resize(static_cast<std::size_t>(call.query.size(1)));
    std::iota(part.heads.begin(), part.heads.end(), 0);
    part.queryEnd = call.query.size(2);
    return part;
}

bool countsPositions(const AttentionCall& call) { return call.causal; }

std::string kernelsDecline(const AttentionCall& call) {
    return call.segments ? "attention within segments" : statisticsDecline(call);
}

std::string statisticsDecline(const AttentionCall& call) {
    const at::ScalarType type = call.query.scalar_type();
    if (!kernelType(type)) return fmt::format("no {} kernel", c10::toString(type));
    if (call.key.scalar_type() != type) return "queries and keys differ in type";
    if (call.query.device() != call.key.device()) return "queries and keys are on different devices";
    if (call.query.is_cuda() ? fv_device_count() == 0 : !call.query.device().is_cpu())
        return "no kernels for this device";
    if (call.query.size(3) > 256) return "a head size over 256";
    if (call.bias.defined() && call.bias.numel() && call.bias.min().item<double>() < hugeBias)
        return call.bias.isneginf().logical_or(call.bias >= hugeBias).all().item<bool>()
                   ? ""
                   : "a mask of huge negative numbers";
    return {};
}

KernelProblem::KernelProblem(const AttentionCall& call, const KernelPart& part) {
    const std::int64_t rows = part.queryEnd - part.queryBegin;
    m_query = usable(headsOf(call.query, part.heads).narrow(2, part.queryBegin, rows));
    m_key = usable(headsOf(call.key, keyHeadsOf(part.heads, call.query.size(1) / call.key.size(1))));
    if (call.segments && !call.segments->inOrder()) {
        const at::Tensor order = call.segments->order().to(m_query.device());
        m_query = m_query.index_select(2, order);
        m_key = m_key.index_select(2, order);
    }
    m_bias = biasOf(call, part);
    m_problem.struct_size = sizeof m_problem;
    m_problem.dtype = *kernelType(call.query.scalar_type());
    m_problem.batch = 1;
    m_problem.q_heads = m_query.size(1);
    m_problem.kv_heads = m_key.size(1);
    m_problem.tq = rows;
    m_problem.tk = m_key.size(2);
    m_problem.d = m_query.size(3);
    m_problem.query = operandOf(m_query);
    m_problem.key = operandOf(m_key);
    setLogits(call, part, m_problem);
    if (call.segments) setSegments(*call.segments);
    if (!m_bias.defined()) return;
    m_problem.bias = m_bias.const_data_ptr<float>();
    m_problem.bias_stride_h = m_bias.stride(1);
    m_problem.bias_stride_q = m_bias.stride(2);
    m_problem.bias_stride_k = m_bias.stride(3);
}

// On CUDA the kernels read more bounds than 4096 sequences have from the device.
void KernelProblem::setSegments(const AttentionSegments& segments) {
    const std::vector<std::int32_t>& bounds = segments.bounds();
    m_bounds = at::tensor(bounds, at::kInt);
    if (bounds.size() > 4097) m_bounds = m_bounds.to(m_query.device());
    m_problem.cu_seqlens_q = m_problem.cu_seqlens_k = m_bounds.const_data_ptr<std::int32_t>();
    m_problem.sequences = static_cast<std::int64_t>(bounds.size()) - 1;
}

void KernelProblem::giveLse(const at::Tensor& lse, const KernelPart& part) {
    m_lse = headsOf(lse.unsqueeze(0), part.heads).narrow(2, part.queryBegin, part.queryEnd - part.queryBegin);
    m_problem.lse = m_lse.const_data_ptr<float>();
    m_problem.lse_stride_h = std::max<std::int64_t>(m_lse.stride(1), 1);
    m_problem.lse_stride_t = 1;
}

void KernelProblem::giveValues(const AttentionCall& call, const KernelPart& part, const at::Tensor& gradient) {
    m_value = usable(headsOf(call.value, keyHeadsOf(part.heads, call.query.size(1) / call.key.size(1))));
    m_problem.dv = m_value.size(3);
    m_problem.value = operandOf(m_value);
    if (!gradient.defined()) return;
    m_gradient = usable(headsOf(gradient.to(call.query.scalar_type()), part.heads)
                            .narrow(2, part.queryBegin, part.queryEnd - part.queryBegin));
    m_problem.grad_output = operandOf(m_gradient);
}

template <typename Request>
std::uint64_t kernelScratch(const fv_problem& problem, const Request& request, const at::Device& device) {
    const Execution execution(device);
    std::size_t bytes = 0;
    return callsOf(request).workspace(&problem, &request, &execution.exec, &bytes) == FV_OK ? bytes : 0;
}

template <typename Request>
bool runKernel(const fv_problem& problem, const Request& request, const at::Device& device,
               std::string& declined) {
    const Execution execution(device);
    const Calls<Request> calls = callsOf(request);
    std::size_t bytes = 0;
    fv_status status = calls.workspace(&problem, &request, &execution.exec, &bytes);
    if (status == FV_OK) {
        const at::Tensor workspace = at::empty({static_cast<std::int64_t>(std::max<std::size_t>(bytes, 64))},
                                               at::TensorOptions(at::kByte).device(device));
        status = calls.run(&problem, &request, &execution.exec, workspace.mutable_data_ptr(), bytes);
    }
    if (status != FV_OK) declined = execution.reason(status);
    return status == FV_OK;
}

#define FOVEA_KERNEL_REQUEST(Request)                                                                     \
    template std::uint64_t kernelScratch(const fv_problem&, const Request&, const at::Device&);           \
    template bool runKernel(const fv_problem&, const Request&, const at::Device&, std::string&);
FOVEA_KERNEL_REQUEST(fv_stats_request)
FOVEA_KERNEL_REQUEST(fv_lines_request)
FOVEA_KERNEL_REQUEST(fv_tile_request)
FOVEA_KERNEL_REQUEST(fv_product_request)
FOVEA_KERNEL_REQUEST(fv_relevance_request)
FOVEA_KERNEL_REQUEST(fv_forward_request)
#undef FOVEA_KERNEL_REQUEST

}  // namespace fovea
