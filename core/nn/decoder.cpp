#include "nn/decoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/add.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <optional>
#include <tuple>

#include "attention/forward.h"
#include "attention/trace_impl.h"
#include "fovea/error.h"
#include "nn/block_stack.h"
#include "nn/rope.h"
#include "nn/rotary_pair.h"
#include "nn/transformer_model.h"

namespace fovea {
namespace {

constexpr std::int64_t fewTokens = 16;  // of a pass: their queries and keys are turned together

}  // namespace

at::Tensor streamRows(const Array& rows, std::int64_t hidden, const at::Tensor& like) {
    if (rows.shape.size() != 2 || rows.size(1) != hidden)
        throw Error(fmt::format("rows of the residual stream: expected {} values each", hidden), {}, ErrorCode::Usage);
    return at::tensor(rows.values).view({rows.size(0), rows.size(1)}).to(like.options());
}

struct Decoder::Shared {
    const DecoderPass& pass;
    std::vector<RotaryTable> tables;                 // one a rope of the spec
    std::vector<RotaryPair> pairs;                   // of tables whose queries and keys are turned together
    mutable std::map<std::int64_t, at::Tensor> biases;  // a window's mask where no description serves
};

void Decoder::describe(ModelSpec& model) {
    StageSpec stage;
    stage.id = m_spec.stage;
    stage.layers = layers();
    stage.hidden = static_cast<int>(m_spec.hidden);
    model.stages.push_back(std::move(stage));
    m_firstSite = static_cast<int>(model.sites.size());
    for (int i = 0; i < layers(); ++i) {
        AttentionSite site;
        site.stage = m_spec.stage;
        site.block = i;
        site.heads = m_spec.heads;
        site.keyValueHeads = m_spec.keyValueHeads;
        site.headDim = m_spec.headDim;
        site.causal = true;
        site.module = blockPath(m_spec.names.module, i);
        model.sites.push_back(std::move(site));
        for (const char* what : {"attention", "mlp"}) model.taps.push_back(tapName(m_spec.stage, i, what));
    }
}

StageCost Decoder::cost() const {
    StageCost cost;
    cost.stage = m_spec.stage;
    cost.hidden = m_spec.hidden;
    cost.heads = m_spec.heads;
    cost.attentionWidth = static_cast<std::int64_t>(m_spec.heads) * m_spec.headDim;
    cost.keyValueWidth = static_cast<std::int64_t>(m_spec.keyValueHeads) * m_spec.headDim;
    cost.mlpWidth = (m_spec.mlp == MlpKind::Plain ? 1 : 2) * m_spec.intermediate;
    cost.layers = layers();
    cost.vocabulary = hasHead() ? m_spec.vocabulary : 0;
    return cost;
}

void Decoder::visit(WeightVisitor& weights) {
    const DecoderNames& names = m_spec.names;
    weights.linear(m_embedding, names.embedding, m_spec.vocabulary, m_spec.hidden, Bias::None);
    if (!names.positionEmbedding.empty())
        weights.linear(m_positions, names.positionEmbedding, m_spec.positions, m_spec.hidden, Bias::None);
    m_blocks.resize(m_spec.layers.size());
    for (int i = 0; i < layers(); ++i) visitBlock(weights, i);
    m_finalNorm.visit(weights, names.finalNorm, m_spec.hidden, m_spec.norm, m_spec.eps);
    if (m_spec.tied) {
        m_head.weight = m_embedding.weight;
        m_head.name = names.head.empty() ? names.embedding : names.head;
        if (!names.head.empty()) weights.matrix({names.head, {{m_head, 0}}});
    } else if (!names.head.empty()) {
        weights.linear(m_head, names.head, m_spec.vocabulary, m_spec.hidden, Bias::None);
    }
}

void Decoder::visitBlock(WeightVisitor& weights, int index) {
    Block& block = m_blocks[static_cast<std::size_t>(index)];
    const DecoderNames& names = m_spec.names;
    const auto path = [&](const std::string& pattern) { return blockPath(pattern, index); };
    const auto norm = [&](Norm& slot, const std::string& pattern, std::int64_t size) {
        if (!pattern.empty()) slot.visit(weights, path(pattern), size, m_spec.norm, m_spec.eps);
    };
    const std::int64_t hidden = m_spec.hidden;
    const std::int64_t inner = static_cast<std::int64_t>(m_spec.heads) * m_spec.headDim;
    const std::int64_t shared = static_cast<std::int64_t>(m_spec.keyValueHeads) * m_spec.headDim;
    norm(block.norm1, names.norm1, hidden);
    if (!names.qkv.empty()) {
        const std::string qkv = path(names.qkv);
        weights.transposedQkv(block.query, block.key, block.value, {qkv + ".weight", qkv + ".bias", qkv}, inner,
                              hidden);
    } else {
        weights.linear(block.query, path(names.query), inner, hidden, m_spec.qkvBias);
        weights.linear(block.key, path(names.key), shared, hidden, m_spec.qkvBias);
        weights.linear(block.value, path(names.value), shared, hidden, m_spec.qkvBias);
    }
    norm(block.queryNorm, names.queryNorm, m_spec.headDim);
    norm(block.keyNorm, names.keyNorm, m_spec.headDim);
    if (m_spec.transposed)
        weights.transposedLinear(block.output, path(names.output), hidden, inner, m_spec.outputBias);
    else
        weights.linear(block.output, path(names.output), hidden, inner, m_spec.outputBias);
    norm(block.afterAttention, names.afterAttention, hidden);
    norm(block.norm2, names.norm2, hidden);
    block.mlp.visit(weights, {m_spec.mlp, hidden, m_spec.intermediate, m_spec.activation, m_spec.mlpBias,
                              path(names.mlpIn), path(names.mlpGate), path(names.mlpOut), m_spec.transposed});
    norm(block.afterMlp, names.afterMlp, hidden);
}

at::Tensor Decoder::embedTokens(const at::Tensor& ids, const Forward& forward) const {
    const at::Tensor x = forward.embedding(m_embedding, ids);
    if (m_spec.embeddingScale == 1) return x;
    // The reference holds the factor in fp32 and rounds it to the type of the weights.
    const at::Tensor factor = at::tensor(static_cast<float>(m_spec.embeddingScale), at::kFloat);
    return at::mul(x, factor.to(x.options()));
}

void Decoder::addMask(AttentionCall& call, std::int64_t window, const Shared& shared, const Forward& forward) const {
    const DecoderMask& mask = shared.pass.mask;
    const at::Tensor kept = forward.keptTokens(m_spec.stage);
    const std::int64_t length = shared.pass.positions.size(-1);
    const bool pruned = kept.defined() || (call.cached && call.key.size(2) != forward.past() + length);
    if (describable(mask, window, pruned)) {
        call.causal = true;
        call.windowLeft = window - 1;
        call.prefix = mask.prefix;
        return;
    }
    at::Tensor bias = shared.biases[window];
    if (!bias.defined() || pruned) {
        const auto options = shared.pass.positions.options();
        MaskTokens tokens;
        tokens.queries = kept.defined() ? kept : at::arange(length, options) + forward.past();
        tokens.keys = tokens.queries;
        if (call.cached) {
            const std::vector<int>& cached = forward.cachedTokens(call.site);
            const std::vector<std::int64_t> wide(cached.begin(), cached.end());
            tokens.keys = at::tensor(wide, at::kLong).to(options.device());
        }
        bias = maskBias(mask, window, tokens, call.query.scalar_type());
        if (!pruned) shared.biases[window] = bias;
    }
    call.bias = bias;
}

at::Tensor Decoder::attention(int index, const at::Tensor& x, const Shared& shared, Forward& forward) const {
    const Block& block = m_blocks[static_cast<std::size_t>(index)];
    const DecoderLayer& layer = m_spec.layers[static_cast<std::size_t>(index)];
    const auto heads = [&](const Linear& weight, std::int64_t count) {
        return forward.linear(weight, x).view({x.size(0), x.size(1), count, m_spec.headDim}).transpose(1, 2);
    };
    AttentionCall call;
    call.site = m_firstSite + index;
    call.query = heads(block.query, m_spec.heads);
    call.key = heads(block.key, m_spec.keyValueHeads);
    call.value = heads(block.value, m_spec.keyValueHeads);
    if (block.queryNorm.defined()) call.query = block.queryNorm(call.query);
    if (block.keyNorm.defined()) call.key = block.keyNorm(call.key);
    const at::Tensor kept = forward.keptTokens(m_spec.stage);
    if (!shared.tables.empty()) {
        const at::Tensor rows = kept.defined() && forward.past() > 0 ? kept - forward.past() : kept;
        const auto rope = static_cast<std::size_t>(layer.rope);
        const RotaryTable table = shared.tables[rope].select(rows);
        if (!rows.defined() && shared.pairs[rope].defined()) {
            std::tie(call.query, call.key) = shared.pairs[rope](call.query, call.key);
        } else {
            call.query = rotate(call.query, table);
            call.key = rotate(call.key, table);
        }
    }
    call.outputWeight = block.output.weight;
    call.scale = m_spec.scale / (m_spec.scaleByBlock ? index + 1 : 1);
    call.softcap = m_spec.softcap;
    forward.useCache(call);
    addMask(call, layer.window, shared, forward);
    const at::Tensor mixed = forward.attend(call).transpose(1, 2).reshape({1, x.size(1), -1});
    return forward.attentionOutput(call.site, forward.linear(block.output, mixed));
}

at::Tensor Decoder::run(const DecoderPass& pass, Forward& forward) const {
    Shared shared{pass, {}, {}, {}};
    for (const RopeSpec& rope : m_spec.ropes) {
        if (rope.kind == RopeKind::None) continue;
        const RotaryTable table = ropeTable(rope, pass.positions, m_finalNorm.dtype());
        const bool together = pass.positions.size(-1) <= fewTokens && table.cos.size(-1) == m_spec.headDim;
        shared.tables.push_back(table);
        shared.pairs.push_back(together ? RotaryPair(table) : RotaryPair());
    }
    const auto embedded = [&] {
        at::Tensor x = pass.embed();
        if (m_positions.weight.defined()) x = at::add(x, forward.embedding(m_positions, pass.positions.unsqueeze(0)));
        return x;
    };
    const auto resumed = forward.resume(m_spec.stage, pass.reads);
    at::Tensor x = resumed ? resumed->x : embedded();
    for (int i = resumed ? resumed->block : 0; i < layers(); ++i) {
        const Block& block = m_blocks[static_cast<std::size_t>(i)];
        // A checkpoint holds the stream after the addition.
        if (pass.beforeBlock && !(resumed && i == resumed->block)) x = pass.beforeBlock(i, x);
        x = forward.enterBlock(m_spec.stage, i, x);
        const auto added = [&](const char* what, const Norm& after, const at::Tensor& part) {
            return forward.tap(tapName(m_spec.stage, i, what), after.defined() ? after(part) : part);
        };
        x = at::add(x, added("attention", block.afterAttention, attention(i, block.norm1(x), shared, forward)));
        x = at::add(x, added("mlp", block.afterMlp, block.mlp(block.norm2(x), forward)));
    }
    if (pass.beforeBlock) x = pass.beforeBlock(layers(), x);
    forward.leaveStage(m_spec.stage, layers(), x);
    return m_finalNorm(x);
}

at::Tensor Decoder::capped(const at::Tensor& plain) const {
    return m_spec.finalSoftcap > 0 ? at::mul(at::tanh(plain / m_spec.finalSoftcap), m_spec.finalSoftcap) : plain;
}

at::Tensor Decoder::logits(const at::Tensor& hidden, Forward& forward) const {
    return capped(forward.linear(m_head, hidden));
}

Array Decoder::readOut(const Array& rows) const {
    if (!hasHead()) throw Error("this model has no head over a vocabulary", {}, ErrorCode::Usage);
    const at::AutoGradMode gradients(false);
    const at::Tensor given = streamRows(rows, m_spec.hidden, m_embedding.weight);
    const at::Tensor normed = m_finalNorm(given.to(m_finalNorm.dtype()));
    const std::optional<at::Tensor> bias = m_head.bias.defined() ? std::optional(m_head.bias) : std::nullopt;
    return toArray(capped(at::linear(normed, m_head.weight, bias)));
}

}  // namespace fovea
