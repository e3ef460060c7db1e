#include "nn/block_stack.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/add.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <c10/core/ScalarTypeToTypeMeta.h>

#include <cmath>
#include <limits>
#include <optional>

#include "attention/forward.h"
#include "fovea/error.h"
#include "nn/numeric_limits.h"

namespace fovea {
namespace {

/// [1, tokens, heads * dim] -> [1, heads, tokens, dim].
at::Tensor splitHeads(const at::Tensor& x, std::int64_t heads, std::int64_t dim) {
    return x.view({x.size(0), x.size(1), heads, dim}).transpose(1, 2);
}

at::Tensor scaled(const at::Tensor& x, const at::Tensor& scale) {
    return scale.defined() ? at::mul(x, scale) : x;
}

}  // namespace

std::string tapName(const std::string& stage, int block, const char* what) {
    return stage + "." + std::to_string(block) + "." + what;
}

std::string blockPath(const std::string& pattern, int block) {
    const auto at = pattern.find("{i}");
    if (at == std::string::npos) return pattern;
    return pattern.substr(0, at) + std::to_string(block) + pattern.substr(at + 3);
}

at::Tensor selectBias(const at::Tensor& bias, const at::Tensor& kept) {
    if (!bias.defined() || !kept.defined()) return bias;
    at::Tensor out = bias.size(-1) == 1 ? bias : bias.index_select(-1, kept);
    return out.size(-2) == 1 ? out : out.index_select(-2, kept);
}

at::Tensor paddingBias(const at::Tensor& mask, at::ScalarType dtype) {
    const at::Tensor zero = at::zeros({}, mask.options().dtype(dtype));
    const at::Tensor lowest = at::zeros({}, mask.options().dtype(dtype)) + lowestValue(dtype);
    return at::where(mask.to(at::kBool), zero, lowest).view({1, 1, 1, mask.size(-1)});
}

at::Tensor causalBias(const at::Tensor& positions, at::ScalarType dtype) {
    const at::Tensor visible = positions.unsqueeze(1) >= positions.unsqueeze(0);
    const at::Tensor zero = at::zeros({}, positions.options().dtype(dtype));
    return at::where(visible, zero, zero + lowestValue(dtype)).unsqueeze(0).unsqueeze(0);
}

void BlockStack::addSites(std::vector<AttentionSite>& sites) {
    m_firstSite = static_cast<int>(sites.size());
    for (int i = 0; i < m_spec.layers; ++i) {
        AttentionSite site;
        site.stage = m_spec.stage;
        site.block = m_spec.firstBlock + i;
        if (!m_spec.layouts.empty()) site.layout = m_spec.layouts[static_cast<std::size_t>(i)];
        site.heads = site.keyValueHeads = m_spec.heads;
        site.headDim = m_spec.headDim;
        site.causal = m_spec.causal;
        site.module = blockPath(m_spec.names.module, i);
        sites.push_back(std::move(site));
    }
}

void BlockStack::addTaps(std::vector<std::string>& taps) const {
    for (int i = 0; i < m_spec.layers; ++i)
        for (const char* what : {"attention", "mlp"})
            taps.push_back(tapName(m_spec.stage, m_spec.firstBlock + i, what));
}

void BlockStack::visit(WeightVisitor& weights) {
    const BlockNames& names = m_spec.names;
    const std::int64_t hidden = m_spec.hidden;
    const std::int64_t inner = static_cast<std::int64_t>(m_spec.heads) * m_spec.headDim;
    m_blocks.resize(static_cast<std::size_t>(m_spec.layers));
    for (int i = 0; i < m_spec.layers; ++i) {
        Block& block = m_blocks[static_cast<std::size_t>(i)];
        const auto path = [&](const std::string& pattern) { return blockPath(pattern, i); };
        block.norm1.visit(weights, path(names.norm1), hidden, m_spec.norm, m_spec.eps);
        if (!names.qkv.empty()) {
            const std::string qkv = path(names.qkv);
            weights.fusedQkv(block.query, block.key, block.value, {qkv + ".weight", qkv + ".bias", qkv},
                             inner, hidden, m_spec.queryBias);
        } else {
            weights.linear(block.query, path(names.query), inner, hidden, m_spec.queryBias);
            weights.linear(block.key, path(names.key), inner, hidden, m_spec.keyBias);
            weights.linear(block.value, path(names.value), inner, hidden, m_spec.valueBias);
        }
        const std::int64_t normed = m_spec.headNormAxis == HeadNormAxis::Head ? m_spec.headDim : inner;
        const auto headNorm = [&](Norm& slot, const std::string& pattern) {
            if (!pattern.empty())
                slot.visit(weights, path(pattern), normed, m_spec.headNorm, m_spec.headNormEps);
        };
        headNorm(block.queryNorm, names.queryNorm);
        headNorm(block.keyNorm, names.keyNorm);
        if (!names.relativeBias.empty()) {
            block.relative = RelativeBias(m_spec.relativeGrid, m_spec.heads);
            block.relative.visit(weights, path(names.relativeBias));
        }
        weights.linear(block.output, path(names.output), hidden, inner, m_spec.outputBias);
        const std::int64_t scales = m_spec.gatedResidual ? 1 : hidden;
        if (!names.scale1.empty()) weights.tensor(block.scale1, path(names.scale1), {scales});
        block.norm2.visit(weights, path(names.norm2), hidden, m_spec.norm, m_spec.eps);
        block.mlp.visit(weights, {m_spec.mlp, hidden, m_spec.intermediate, m_spec.activation, m_spec.mlpBias,
                                  path(names.mlpIn), path(names.mlpGate), path(names.mlpOut)});
        if (!names.scale2.empty()) weights.tensor(block.scale2, path(names.scale2), {scales});
        if (m_spec.gatedResidual)
            for (at::Tensor* gate : {&block.scale1, &block.scale2})
                if (gate->defined()) *gate = gate->tanh();
    }
}

at::Tensor BlockStack::attention(int index, const at::Tensor& x, const BlockContext& context,
                                 Forward& forward) const {
    const Block& block = m_blocks[static_cast<std::size_t>(index)];
    const at::Tensor kept = forward.keptTokens(m_spec.stage);
    AttentionCall call;
    call.site = m_firstSite + index;
    const auto project = [&](const Linear& weight, const Norm& norm) {
        at::Tensor y = forward.linear(weight, x);
        if (norm.defined() && m_spec.headNormAxis == HeadNormAxis::All) y = norm(y);
        y = splitHeads(y, m_spec.heads, m_spec.headDim);
        return norm.defined() && m_spec.headNormAxis == HeadNormAxis::Head ? norm(y) : y;
    };
    call.query = project(block.query, block.queryNorm);
    call.key = project(block.key, block.keyNorm);
    call.value = project(block.value, {});
    if (context.rotary.defined()) {
        const RotaryTable table = context.rotary.select(kept);
        call.query = rotate(call.query, table);
        call.key = rotate(call.key, table);
    }
    call.outputWeight = block.output.weight;
    if (!context.segments.empty()) call.segments = context.segments[static_cast<std::size_t>(index)];
    if (call.segments && kept.defined())
        throw Error("tokens of a stage with windows cannot be pruned", "prune tokens of another stage",
                    ErrorCode::Usage);
    call.bias = context.bias;
    if (block.relative.defined()) {
        const at::Tensor relative = block.relative.forGrid(context.grid);
        call.bias = call.bias.defined() ? at::add(relative, call.bias) : relative;
    }
    call.bias = selectBias(call.bias, kept);
    call.scale = 1.0 / std::sqrt(static_cast<double>(m_spec.headDim));
    // A causal stage with a mask of its own has the causal part in the mask already.
    call.causal = m_spec.causal && !call.bias.defined() && !kept.defined();
    if (m_spec.causal && kept.defined() && !call.bias.defined())
        call.bias = causalBias(kept, x.scalar_type());
    const at::Tensor mixed = forward.attend(call).transpose(1, 2).reshape({1, x.size(1), -1});
    return forward.attentionOutput(call.site, forward.linear(block.output, mixed));
}

at::Tensor BlockStack::run(const std::function<at::Tensor()>& embed, const BlockContext& context,
                           Forward& forward) const {
    const auto resumed = context.resumable ? forward.resume(m_spec.stage) : std::nullopt;
    at::Tensor x = resumed ? resumed->x : embed();
    const auto observe = [&](int block) {
        if (context.observe) context.observe(block, x);
    };
    observe(-1);
    for (int i = resumed ? resumed->block : 0; i < m_spec.layers; ++i) {
        const Block& block = m_blocks[static_cast<std::size_t>(i)];
        const int number = m_spec.firstBlock + i;
        x = forward.enterBlock(m_spec.stage, number, x);
        const auto tapped = [&](const char* what, const at::Tensor& added) {
            return forward.tap(tapName(m_spec.stage, number, what), added);
        };
        x = at::add(
            x, tapped("attention", scaled(attention(i, block.norm1(x), context, forward), block.scale1)));
        x = at::add(x, tapped("mlp", scaled(block.mlp(block.norm2(x), forward), block.scale2)));
        observe(i);
    }
    if (m_spec.last) forward.leaveStage(m_spec.stage, m_spec.firstBlock + m_spec.layers, x);
    return x;
}

}  // namespace fovea
