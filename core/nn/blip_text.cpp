#include "nn/blip_text.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/add.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <cmath>

#include "fovea/error.h"
#include "nn/decoder_mask.h"
#include "nn/language_model.h"
#include "nn/numeric_limits.h"

namespace fovea {
namespace {

// What hides the keys that `mask` [1, keys] has 0 for; undefined where it hides none.
at::Tensor hiding(const at::Tensor& mask, at::ScalarType dtype) {
    if (!mask.defined()) return {};
    const at::Tensor visible = mask.to(at::kBool);
    if (visible.all().item<bool>()) return {};
    const at::Tensor zero = at::zeros({}, mask.options().dtype(dtype));
    return at::where(visible, zero, zero + lowestValue(dtype)).view({1, 1, 1, -1});
}

}  // namespace

void BlipText::describe(ModelSpec& model) {
    StageSpec stage;
    stage.id = m_spec.stage;
    stage.layers = m_spec.layers;
    stage.hidden = static_cast<int>(m_spec.hidden);
    model.stages.push_back(std::move(stage));
    m_firstSite = static_cast<int>(model.sites.size());
    for (int i = 0; i < m_spec.layers; ++i)
        for (const SiteKind kind : {SiteKind::Self, SiteKind::Cross}) {
            AttentionSite site;
            site.stage = m_spec.stage;
            site.block = i;
            site.kind = kind;
            site.heads = site.keyValueHeads = m_spec.heads;
            site.headDim = m_spec.headDim;
            site.causal = m_spec.causal && kind == SiteKind::Self;
            if (kind == SiteKind::Cross) site.keyStage = m_spec.keyStage;
            site.module = fmt::format("{}encoder.layer.{}.{}.self", m_spec.prefix, i,
                                      kind == SiteKind::Self ? "attention" : "crossattention");
            model.sites.push_back(std::move(site));
        }
}

void BlipText::visitAttention(WeightVisitor& weights, Attention& attention, const std::string& path,
                              std::int64_t keys) const {
    const std::int64_t hidden = m_spec.hidden;
    weights.linear(attention.query, path + "self.query", hidden, hidden);
    weights.linear(attention.key, path + "self.key", hidden, keys);
    weights.linear(attention.value, path + "self.value", hidden, keys);
    weights.linear(attention.output, path + "output.dense", hidden, hidden);
    attention.norm.visit(weights, path + "output.LayerNorm", hidden, NormKind::Layer, m_spec.eps);
}

void BlipText::visit(WeightVisitor& weights) {
    const std::string embeddings = m_spec.prefix + "embeddings.";
    weights.tensor(m_words, embeddings + "word_embeddings.weight", {m_spec.vocabulary, m_spec.hidden});
    weights.tensor(m_positions, embeddings + "position_embeddings.weight", {m_spec.positions, m_spec.hidden});
    m_embeddingNorm.visit(weights, embeddings + "LayerNorm", m_spec.hidden, NormKind::Layer, m_spec.eps);
    m_blocks.resize(static_cast<std::size_t>(m_spec.layers));
    for (int i = 0; i < m_spec.layers; ++i) {
        Block& block = m_blocks[static_cast<std::size_t>(i)];
        const std::string layer = fmt::format("{}encoder.layer.{}.", m_spec.prefix, i);
        visitAttention(weights, block.self, layer + "attention.", m_spec.hidden);
        visitAttention(weights, block.cross, layer + "crossattention.", m_spec.encoderHidden);
        weights.linear(block.in, layer + "intermediate.dense", m_spec.intermediate, m_spec.hidden);
        weights.linear(block.out, layer + "output.dense", m_spec.hidden, m_spec.intermediate);
        block.norm.visit(weights, layer + "output.LayerNorm", m_spec.hidden, NormKind::Layer, m_spec.eps);
    }
}

StageCost BlipText::cost() const {
    StageCost cost;
    cost.stage = m_spec.stage;
    cost.hidden = cost.attentionWidth = m_spec.hidden;
    cost.heads = m_spec.heads;
    cost.mlpWidth = m_spec.intermediate;
    cost.layers = m_spec.layers;
    return cost;
}

at::Tensor BlipText::heads(const Linear& weight, const at::Tensor& x, Forward& forward) const {
    const at::Tensor y = forward.linear(weight, x);
    return y.view({1, y.size(1), m_spec.heads, m_spec.headDim}).transpose(1, 2);
}

void BlipText::maskSelf(AttentionCall& call, const BlipTextPass& pass, const Forward& forward) const {
    const at::ScalarType dtype = call.query.scalar_type();
    if (!m_spec.causal) {
        call.bias = hiding(pass.mask, dtype);
        return;
    }
    const DecoderMask mask = continued(textMask(pass.mask, {}), call.key.size(2));
    call.causal = mask.plain();
    if (call.causal) return;
    const auto options = pass.ids.options();
    call.bias = maskBias(mask, 0, {at::arange(pass.ids.size(1), options) + forward.past(), at::arange(call.key.size(2), options)},
                         dtype);
}

at::Tensor BlipText::selfAttention(int block, const at::Tensor& x, const BlipTextPass& pass, Forward& forward) const {
    const Attention& weights = m_blocks[static_cast<std::size_t>(block)].self;
    AttentionCall call;
    call.site = m_firstSite + 2 * block;
    call.query = heads(weights.query, x, forward);
    call.key = heads(weights.key, x, forward);
    call.value = heads(weights.value, x, forward);
    if (m_spec.causal) forward.useCache(call);
    maskSelf(call, pass, forward);
    return finish(weights, call, x, forward);
}

at::Tensor BlipText::crossAttention(int block, const at::Tensor& x, const BlipTextPass& pass, Forward& forward) const {
    const Attention& weights = m_blocks[static_cast<std::size_t>(block)].cross;
    AttentionCall call;
    call.site = m_firstSite + 2 * block + 1;
    call.query = heads(weights.query, x, forward);
    const auto make = [&](AttentionCall& fixed) {
        fixed.key = heads(weights.key, pass.source, forward);
        fixed.value = heads(weights.value, pass.source, forward);
    };
    if (m_spec.causal)
        forward.useFixedKeys(call, make);
    else
        make(call);
    return finish(weights, call, x, forward);
}

at::Tensor BlipText::finish(const Attention& weights, AttentionCall& call, const at::Tensor& x, Forward& forward) const {
    call.scale = 1.0 / std::sqrt(static_cast<double>(m_spec.headDim));
    call.outputWeight = weights.output.weight;
    const at::Tensor mixed = forward.attend(call).transpose(1, 2).reshape({1, x.size(1), -1});
    const at::Tensor out = forward.attentionOutput(call.site, forward.linear(weights.output, mixed));
    return weights.norm(at::add(out, x));
}

at::Tensor BlipText::embed(const BlipTextPass& pass, const Forward& forward) const {
    const std::int64_t past = m_spec.causal ? forward.past() : 0;
    const at::Tensor places = m_positions.narrow(0, past, pass.ids.size(1)).unsqueeze(0);
    return m_embeddingNorm(at::add(at::embedding(m_words, pass.ids), places));
}

at::Tensor BlipText::run(const BlipTextPass& pass, Forward& forward) const {
    const auto resumed = forward.resume(m_spec.stage, pass.reads);
    at::Tensor x = resumed ? resumed->x : embed(pass, forward);
    for (int i = resumed ? resumed->block : 0; i < m_spec.layers; ++i) {
        const Block& block = m_blocks[static_cast<std::size_t>(i)];
        x = forward.enterBlock(m_spec.stage, i, x);
        if (forward.keptTokens(m_spec.stage).defined())
            throw Error("tokens of BLIP's text cannot be pruned", "Mask them instead.", ErrorCode::Usage);
        x = selfAttention(i, x, pass, forward);
        x = crossAttention(i, x, pass, forward);
        const at::Tensor inner = activate(m_spec.activation, forward.linear(block.in, x));
        x = block.norm(at::add(forward.linear(block.out, inner), x));
    }
    forward.leaveStage(m_spec.stage, m_spec.layers, x);
    return x;
}

}  // namespace fovea
