#include "cpu/context.h"

#include <algorithm>

namespace fovea::kernels::cpu {

namespace {

Source rowsOf(const fv_operand& x, fv_dtype dtype, int64_t batch, int64_t head, int64_t dim) {
    const int64_t bytes = dtype == FV_F32 ? 4 : 2;
    return {static_cast<const char*>(x.data) + (batch * x.stride_b + head * x.stride_h) * bytes,
            x.stride_t * bytes, dtype, static_cast<int>(dim)};
}

}  // namespace

Context::Context(const fv_problem& p, const fv_exec& exec)
    : problem(p), level(levelOf(exec.cpu_level)), workers(exec), slots(Workers::slots(exec)) {
    pairs = level.pairs && p.dtype == FV_BF16;
    depth = static_cast<int>(pairs ? (p.d + 1) / 2 : p.d);
    group = p.q_heads / p.kv_heads;
    kvCount = p.batch * p.kv_heads;
    headCount = p.batch * p.q_heads;
    dv = p.dv ? p.dv : p.d;
    const double scale = p.scale * kLog2e;
    // kHidden times the factor must stay far below any score and finite.
    transformed = p.softcap > 0 || p.bias || !(scale > 1e-6 && scale < 1e6);
    factor.high = transformed ? 1 : static_cast<float>(scale);
    factor.low = transformed ? 0 : static_cast<float>(scale - factor.high);
}

Source Context::query(int64_t batch, int64_t head) const {
    return rowsOf(problem.query, problem.dtype, batch, head, problem.d);
}

Source Context::key(int64_t batch, int64_t kvHead) const {
    return rowsOf(problem.key, problem.dtype, batch, kvHead, problem.d);
}

Source Context::value(int64_t batch, int64_t kvHead) const {
    return rowsOf(problem.value, problem.dtype, batch, kvHead, dv);
}

Source Context::gradOutput(int64_t batch, int64_t head) const {
    return rowsOf(problem.grad_output, problem.dtype, batch, head, dv);
}

fv_status Context::finish() const {
    if (workers.cancelled()) return FV_CANCELLED;
    return nonfinite ? FV_NONFINITE : FV_OK;
}

int64_t flightSize(const Context& context, int64_t units) {
    const int64_t busy = std::max<int64_t>(16, 4 * context.slots);
    return std::clamp<int64_t>((busy + units - 1) / units, 1, context.kvCount);
}

int64_t packUnits(const Context&, int64_t columns) {
    return (columns + kBlock - 1) / kBlock;
}

void packUnit(const Context& context, const Source& source, bool pairs, int64_t first, int64_t columns,
              int64_t unit, float* panels) {
    const int step = context.level.panelColumns, words = pairs ? (source.dim + 1) / 2 : source.dim;
    const int64_t end = std::min(columns, (unit + 1) * kBlock);
    for (int64_t column = unit * kBlock; column < end; column += step) {
        const int count = static_cast<int>(std::min<int64_t>(step, columns - column));
        context.level.packPanel(source, pairs, first + column, count, panels + column * words);
    }
}

}  // namespace fovea::kernels::cpu
