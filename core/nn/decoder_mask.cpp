#include "nn/decoder_mask.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include "nn/numeric_limits.h"

namespace fovea {

bool describable(const DecoderMask& mask, std::int64_t window, bool pruned) {
    // In the kernels' description a window holds for the prefix, too; in the reference it does not.
    const bool prefixFits = mask.prefix == 0 || window == 0 || window >= mask.prefix;
    return mask.plain() && prefixFits && !(pruned && (window > 0 || mask.prefix > 0));
}

at::Tensor maskBias(const DecoderMask& mask, std::int64_t window, const MaskTokens& tokens, at::ScalarType dtype) {
    const at::Tensor rows = tokens.queries.unsqueeze(1), columns = tokens.keys.unsqueeze(0);
    const auto of = [](const at::Tensor& values, const at::Tensor& at) { return values.index_select(0, at); };
    at::Tensor sees = columns.le(rows);
    if (window > 0) sees = sees.logical_and(columns.gt(rows - window));
    if (mask.segments.defined())
        sees = sees.logical_and(
            of(mask.segments, tokens.queries).unsqueeze(1).eq(of(mask.segments, tokens.keys).unsqueeze(0)));
    if (mask.prefix > 0) sees = sees.logical_or(rows.lt(mask.prefix).logical_and(columns.lt(mask.prefix)));
    if (mask.groups.defined()) {
        const at::Tensor row = of(mask.groups, tokens.queries).unsqueeze(1);
        sees = sees.logical_or(row.eq(of(mask.groups, tokens.keys).unsqueeze(0)).logical_and(row.ge(0)));
        if (window > 0 && mask.groupsInWindow) sees = sees.logical_and(columns.gt(rows - window));
    }
    if (mask.visible.defined()) sees = sees.logical_and(of(mask.visible, tokens.keys).unsqueeze(0));
    const at::Tensor zero = at::zeros({}, rows.options().dtype(dtype));
    return at::where(sees, zero, zero + lowestValue(dtype)).unsqueeze(0).unsqueeze(0);
}

at::Tensor packedSegments(const at::Tensor& positions) {
    const std::int64_t count = positions.size(0);
    if (count < 2) return {};
    const at::Tensor steps = positions.narrow(0, 1, count - 1) - positions.narrow(0, 0, count - 1);
    const at::Tensor breaks = steps.ne(1).to(at::kLong);
    if (!breaks.any().item<bool>()) return {};
    return at::cat({at::zeros({1}, breaks.options()), at::cumsum(breaks, 0)});
}

}  // namespace fovea
