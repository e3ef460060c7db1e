#include "attention/route_probe.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softmax.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <limits>
#include <map>
#include <mutex>

namespace fovea {
namespace {

constexpr std::int64_t probeHeads = 2, probeTokens = 37;  // no multiple of any block: its edges are seen

// Answers so far. What an operator of LibTorch does on a device cannot change while the process lives, and runs
// share neither their tables nor any other object.
class ProbeBook {
public:
    template <typename Probe>
    std::string answer(const std::string& kind, Probe probe) {
        const std::lock_guard lock(m_mutex);
        const auto found = m_answers.find(kind);
        return found != m_answers.end() ? found->second : m_answers.emplace(kind, probe()).first->second;
    }

private:
    std::mutex m_mutex;
    std::map<std::string, std::string> m_answers;
};

// Numbers that look random and are the same everywhere.
at::Tensor numbers(std::vector<std::int64_t> shape, double step, const at::Tensor& like) {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    const at::Tensor angles = at::arange(count, at::TensorOptions(at::kDouble)) * step;
    return (angles.sin() * 1.5).reshape(shape).to(like.device(), like.scalar_type());
}

AttentionCall smallCall(const AttentionCall& call) {
    AttentionCall small;
    small.query = numbers({1, probeHeads, probeTokens, call.query.size(3)}, 1.37, call.query);
    small.key = numbers({1, 1, probeTokens, call.key.size(3)}, 2.11, call.query);
    small.value = numbers({1, 1, probeTokens, call.value.size(3)}, 0.93, call.query);
    if (call.bias.defined()) small.bias = numbers({1, probeHeads, probeTokens, probeTokens}, 3.01, call.bias);
    small.scale = call.scale;
    small.causal = call.causal;
    small.softcap = call.softcap;
    return small;
}

RouteOutput inFloat64(const AttentionCall& call) {
    const auto wide = [](const at::Tensor& tensor) { return tensor.to(at::kCPU, at::kDouble); };
    at::Tensor logits = at::matmul(wide(call.query), wide(call.key).transpose(2, 3)) * call.scale;
    if (call.softcap > 0) logits = (logits / call.softcap).tanh() * call.softcap;
    if (call.bias.defined()) logits = logits + wide(call.bias);
    if (call.causal)
        logits = logits.masked_fill(at::ones({probeTokens, probeTokens}, at::kBool).triu(1),
                                    -std::numeric_limits<double>::infinity());
    return {at::matmul(at::softmax(logits, -1), wide(call.value)), at::logsumexp(logits, {-1})};
}

double largest(const at::Tensor& tensor) { return tensor.abs().max().item<double>(); }

std::string judged(const RouteOutput& found, const RouteOutput& expected, at::ScalarType type) {
    const double tolerance = type == at::kDouble     ? 1e-9
                             : type == at::kFloat    ? 1e-4
                             : type == at::kBFloat16 ? 4e-2
                                                     : 5e-3;
    if (found.output.sizes() != expected.output.sizes() || found.lse.sizes() != expected.lse.sizes())
        return "gives tensors of unknown shapes here";
    const auto apart = [](const at::Tensor& a, const at::Tensor& b) {
        return largest(a.to(at::kCPU, at::kDouble) - b);
    };
    const double output = apart(found.output, expected.output) / largest(expected.output);
    const double lse = apart(found.lse, expected.lse);
    if (output <= tolerance && lse <= tolerance) return "";  // NaN is not
    return fmt::format("is wrong here: off by {:.1e} of the output, {:.1e} in the log-sum-exp", output, lse);
}

}  // namespace

std::string probeRoute(const Route& route, const AttentionCall& call) {
    static ProbeBook book;
    const std::string kind =
        fmt::format("{} {} {} {} {} {} {} {}", route.name, call.query.device().str(),
                    static_cast<int>(call.query.scalar_type()), call.query.size(3), call.value.size(3), call.causal,
                    call.bias.defined() ? static_cast<int>(call.bias.scalar_type()) : -1, call.softcap > 0);
    return book.answer(kind, [&]() -> std::string {
        const at::NoGradGuard noGrad;
        const AttentionCall small = smallCall(call);
        if (!route.declines(small).empty()) return "";  // it may still take the call itself
        try {
            return judged(route.run(small), inFloat64(small), call.query.scalar_type());
        } catch (const c10::OutOfMemoryError&) {
            throw;
        } catch (const c10::Error& error) {
            return std::string("failed in its probe: ") + error.what_without_backtrace();
        }
    });
}

}  // namespace fovea
