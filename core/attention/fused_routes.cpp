// The only file that calls torch's underscored attention operators: they have no promise of stability and few
// guards of their own, so every condition they rely on is checked here first (performance reference §6.2).
#include <ATen/ops/_scaled_dot_product_cudnn_attention.h>
#include <ATen/ops/_scaled_dot_product_efficient_attention.h>
#include <ATen/ops/_scaled_dot_product_flash_attention.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/repeat_interleave.h>

#include "attention/kernel_forward.h"
#include "attention/routes.h"
#include "attention/visibility.h"

namespace fovea {
namespace {

// A token of an answer has one query a head, or the heads of a group in its place.
constexpr std::int64_t fewQueries = 64;

bool isHalf(const AttentionCall& call) {
    return call.query.scalar_type() == at::kHalf || call.query.scalar_type() == at::kBFloat16;
}

at::Tensor denseRows(const at::Tensor& tensor) {
    return tensor.stride(-1) == 1 ? tensor : tensor.contiguous();
}

at::Tensor expanded(const at::Tensor& tensor, std::int64_t heads) {
    const std::int64_t group = heads / tensor.size(1);
    return denseRows(group == 1 ? tensor : at::repeat_interleave(tensor, group, 1));
}

std::string common(const AttentionCall& call, bool cuda) {
    if (call.query.is_cuda() != cuda) return cuda ? "needs a CUDA device" : "needs the CPU";
    if (call.softcap > 0) return "cannot cap logits";
    if (call.value.size(3) != call.query.size(3)) return "needs values of the head size";
    if (call.causal && !isPlainCausal(call))
        return "masks only square causal attention";
    if (call.causal && call.bias.defined()) return "takes no bias beside a causal mask";
    return "";
}

std::string cudnnDeclines(const AttentionCall& call) {
    if (std::string reason = common(call, true); !reason.empty()) return reason;
    if (!isHalf(call)) return "needs fp16 or bf16";
    if (call.bias.defined()) return "takes no bias here";
    if (call.query.size(3) % 8 != 0 || call.query.size(3) > 128)
        return "needs a head size up to 128 in steps of 8";
    // Every number of keys is planned anew there, for 32 ms, and the results are not reproducible.
    if (call.query.size(2) < fewQueries && call.query.size(2) < call.key.size(2))
        return "few queries of more keys, as in an answer, are slow and not reproducible there";
    return "";
}

RouteOutput runCudnn(const AttentionCall& call) {
    const std::int64_t heads = call.query.size(1);
    auto result = at::_scaled_dot_product_cudnn_attention(denseRows(call.query), expanded(call.key, heads),
                                                          expanded(call.value, heads), {}, true, 0.0,
                                                          call.causal, false, call.scale);
    at::Tensor lse = std::get<1>(result);
    if (lse.dim() == 4) lse = lse.squeeze(-1);
    return {std::get<0>(result), lse};
}

std::string flashDeclines(const AttentionCall& call) {
    if (std::string reason = common(call, true); !reason.empty()) return reason;
    if (!isHalf(call)) return "needs fp16 or bf16";
    if (call.bias.defined()) return "takes no bias";
    if (call.query.size(3) % 8 != 0 || call.query.size(3) > 256)
        return "needs a head size up to 256 in steps of 8";
    return "";
}

RouteOutput runFlash(const AttentionCall& call) {
    const std::int64_t heads = call.query.size(1);
    auto result = at::_scaled_dot_product_flash_attention(denseRows(call.query), expanded(call.key, heads),
                                                          expanded(call.value, heads), 0.0, call.causal,
                                                          false, call.scale);
    return {std::get<0>(result), std::get<1>(result)};
}

std::string efficientDeclines(const AttentionCall& call) {
    if (std::string reason = common(call, true); !reason.empty()) return reason;
    if (call.query.scalar_type() == at::kDouble) return "has no float64";
    const std::int64_t step = call.query.scalar_type() == at::kFloat ? 4 : 8;
    if (call.query.size(3) % step != 0) return "needs a head size in steps of 4 (fp32) or 8";
    return "";
}

// The operator wants a full bias whose rows start at multiples of 8 elements; axes of size 1 stay views of
// one row.
at::Tensor paddedBias(const AttentionCall& call) {
    const std::int64_t keys = call.key.size(2), padding = (8 - keys % 8) % 8;
    at::Tensor bias = biasOfRankFour(call).to(call.query.scalar_type());
    if (bias.size(3) != keys) bias = bias.expand({-1, -1, -1, keys});
    bias = padding > 0 ? at::constant_pad_nd(bias, {0, padding}).narrow(3, 0, keys) : denseRows(bias);
    return bias.expand({1, call.query.size(1), call.query.size(2), keys});
}

RouteOutput runEfficient(const AttentionCall& call) {
    const std::int64_t heads = call.query.size(1);
    std::optional<at::Tensor> bias;
    if (call.bias.defined()) bias = paddedBias(call);
    auto result = at::_scaled_dot_product_efficient_attention(
        denseRows(call.query), expanded(call.key, heads), expanded(call.value, heads), bias, true, 0.0,
        call.causal, call.scale);
    return {std::get<0>(result), std::get<1>(result).narrow(2, 0, call.query.size(2))};
}

std::string cpuFlashDeclines(const AttentionCall& call) {
    if (std::string reason = common(call, false); !reason.empty()) return reason;
    if (call.bias.defined() && call.bias.requires_grad()) return "has no gradient for the bias";
    return "";
}

RouteOutput runCpuFlash(const AttentionCall& call) {
    std::optional<at::Tensor> bias;
    if (call.bias.defined()) {
        const at::Tensor mask = biasOfRankFour(call).to(call.query.scalar_type());
        bias = mask.expand({1, call.query.size(1), call.query.size(2), call.key.size(2)});
    }
    auto [output, lse] = at::_scaled_dot_product_flash_attention_for_cpu(
        denseRows(call.query), expanded(call.key, call.query.size(1)),
        expanded(call.value, call.query.size(1)), 0.0, call.causal, bias, call.scale);
    return {output, lse};
}

}  // namespace

const std::vector<Route>& fusedRoutes() {
    static const std::vector<Route> routes = {{"cudnn", cudnnDeclines, runCudnn},
                                              {"flash", flashDeclines, runFlash},
                                              {"efficient", efficientDeclines, runEfficient},
                                              {"flash_cpu", cpuFlashDeclines, runCpuFlash},
                                              {"kernel", kernelForwardDeclines, runKernelForward}};
    return routes;
}

}  // namespace fovea
