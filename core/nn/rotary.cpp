#include "nn/rotary.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/add.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/zeros.h>

#include <numbers>

namespace fovea {
namespace {

/// Centres of n cells on [-1, 1].
at::Tensor centres(std::int64_t n, const at::TensorOptions& options) {
    return (at::arange(0.5, static_cast<double>(n), 1.0, options) / static_cast<double>(n)) * 2.0 - 1.0;
}

}  // namespace

RotaryTable RotaryTable::select(const at::Tensor& kept) const {
    if (!kept.defined() || !defined()) return *this;
    return {cos.index_select(0, kept), sin.index_select(0, kept)};
}

RotaryTable axialRotary(const AxialRotarySpec& spec, const at::TensorOptions& options) {
    // The reference forms angles in fp32 whatever the type of the run; only a float64 run asks for more.
    const bool wide = c10::typeMetaToScalarType(options.dtype()) == at::kDouble;
    const auto working = options.dtype(wide ? at::kDouble : at::kFloat);
    const at::Tensor exponent = at::arange(0.0, 1.0, 4.0 / static_cast<double>(spec.headDim), working);
    const at::Tensor frequency = at::reciprocal(at::pow(spec.theta, exponent));  // [head_dim / 4]
    const std::int64_t quarter = frequency.size(0);
    const at::Tensor y = centres(spec.rows, working).view({spec.rows, 1, 1});
    const at::Tensor x = centres(spec.columns, working).view({1, spec.columns, 1});
    const auto angles = [&](const at::Tensor& coordinate) -> at::Tensor {
        return (coordinate * (2 * std::numbers::pi) * frequency).expand({spec.rows, spec.columns, quarter});
    };
    at::Tensor angle = at::cat({angles(y), angles(x)}, -1).reshape({spec.rows * spec.columns, 2 * quarter});
    angle = at::cat({angle, angle}, -1);
    const at::Tensor still = at::zeros({spec.prefix, angle.size(1)}, working);
    angle = at::cat({still, angle}, 0);
    return {at::cos(angle).to(options.dtype()), at::sin(angle).to(options.dtype())};
}

at::Tensor rotate(const at::Tensor& x, const RotaryTable& table) {
    if (const std::int64_t turned = table.cos.size(-1); turned < x.size(-1))
        return at::cat({rotate(x.narrow(-1, 0, turned), table), x.narrow(-1, turned, x.size(-1) - turned)}, -1);
    const std::int64_t half = x.size(-1) / 2;
    const at::Tensor turned = at::cat({at::neg(x.narrow(-1, half, half)), x.narrow(-1, 0, half)}, -1);
    // A table of a wider type than x says that the products are formed in that type.
    return at::add(at::mul(x, table.cos), at::mul(turned, table.sin)).to(x.scalar_type());
}

}  // namespace fovea
