#include "nn/mlp.h"

#include <ATen/ops/mul.h>
#include <ATen/ops/silu.h>

#include "attention/forward.h"

namespace fovea {

void Mlp::visit(WeightVisitor& weights, const MlpSpec& spec) {
    m_kind = spec.kind;
    m_activation = spec.activation;
    const std::int64_t rows = spec.kind == MlpKind::FusedSwiGlu ? 2 * spec.intermediate : spec.intermediate;
    const auto matrix = [&](Linear& slot, const std::string& path, std::int64_t out, std::int64_t in) {
        if (spec.transposed)
            weights.transposedLinear(slot, path, out, in, spec.bias);
        else
            weights.linear(slot, path, out, in, spec.bias);
    };
    matrix(m_in, spec.in, rows, spec.hidden);
    if (spec.kind == MlpKind::Gated) matrix(m_gate, spec.gate, spec.intermediate, spec.hidden);
    matrix(m_out, spec.out, spec.hidden, spec.intermediate);
}

at::Tensor Mlp::operator()(const at::Tensor& x, Forward& forward) const {
    at::Tensor inner = forward.linear(m_in, x);
    switch (m_kind) {
        case MlpKind::Plain:
            inner = activate(m_activation, inner);
            break;
        case MlpKind::Gated:
            inner = at::mul(activate(m_activation, forward.linear(m_gate, x)), inner);
            break;
        case MlpKind::FusedSwiGlu: {
            const std::int64_t half = inner.size(-1) / 2;
            inner = at::mul(at::silu(inner.narrow(-1, 0, half)), inner.narrow(-1, half, half));
            break;
        }
    }
    return forward.linear(m_out, inner);
}

}  // namespace fovea
