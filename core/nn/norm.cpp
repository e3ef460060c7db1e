#include "nn/norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/rsqrt.h>

namespace fovea {

void Norm::visit(WeightVisitor& weights, const std::string& path, std::int64_t size, NormKind kind, double eps) {
    m_kind = kind;
    m_eps = eps;
    weights.tensor(m_weight, path + ".weight", {size});
    if (kind == NormKind::Layer) weights.tensor(m_bias, path + ".bias", {size});
}

at::Tensor Norm::operator()(const at::Tensor& x) const {
    if (m_kind == NormKind::Layer) return at::layer_norm(x, {m_weight.size(0)}, m_weight, m_bias, m_eps);
    // There one kernel in the place of seven: the same roundings, sums in another order. A token costs launches.
    if (m_kind == NormKind::Rms && x.is_cuda())
        return at::mul(m_weight, at::rms_norm(x, {m_weight.size(0)}, {}, m_eps));
    const at::ScalarType stream = x.scalar_type();
    const at::ScalarType wide = stream == at::kDouble ? at::kDouble : at::kFloat;
    const at::Tensor y = x.to(wide);
    const at::Tensor unit = at::mul(y, at::rsqrt(at::mean(at::pow(y, 2), {-1}, true) + m_eps));
    if (m_kind == NormKind::Rms) return at::mul(m_weight, unit.to(stream));
    return at::mul(unit, m_weight.to(wide) + 1.0).to(stream);
}

}  // namespace fovea
