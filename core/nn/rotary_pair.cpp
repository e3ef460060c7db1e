#include "nn/rotary_pair.h"

#include <ATen/ops/add.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/roll.h>

namespace fovea {

RotaryPair::RotaryPair(const RotaryTable& table) : m_cos(table.cos) {
    const std::int64_t half = table.sin.size(-1) / 2;
    m_sines = at::cat({at::neg(table.sin.narrow(-1, 0, half)), table.sin.narrow(-1, half, half)}, -1);
}

std::pair<at::Tensor, at::Tensor> RotaryPair::operator()(const at::Tensor& query, const at::Tensor& key) const {
    const at::Tensor both = at::cat({query, key}, 1);
    const at::Tensor turned = at::mul(at::roll(both, {both.size(3) / 2}, {3}), m_sines);
    const at::Tensor rotated = at::add(at::mul(both, m_cos), turned);
    return {rotated.narrow(1, 0, query.size(1)), rotated.narrow(1, query.size(1), key.size(1))};
}

}  // namespace fovea
