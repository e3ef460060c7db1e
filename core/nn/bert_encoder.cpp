#include "nn/bert_encoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/add.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "attention/forward.h"
#include "nn/block_stack.h"
#include "nn/transformer_model.h"

namespace fovea {
namespace {

constexpr const char* kStage = "text";

std::string tapName(int block, const char* what) {
    return std::string(kStage) + "." + std::to_string(block) + "." + what;
}

}  // namespace

void BertEncoder::describe(ModelSpec& model) {
    StageSpec stage;
    stage.id = kStage;
    stage.layers = m_spec.layers;
    stage.hidden = static_cast<int>(m_spec.hidden);
    model.stages.push_back(std::move(stage));
    m_firstSite = static_cast<int>(model.sites.size());
    for (int i = 0; i < m_spec.layers; ++i) {
        AttentionSite site;
        site.stage = kStage;
        site.block = i;
        site.heads = site.keyValueHeads = m_spec.heads;
        site.headDim = m_spec.headDim;
        site.module = blockPath(m_spec.prefix + "encoder.layer.{i}.attention.self", i);
        model.sites.push_back(std::move(site));
        for (const char* what : {"attention", "mlp"}) model.taps.push_back(tapName(i, what));
    }
}

StageCost BertEncoder::cost() const {
    StageCost cost;
    cost.stage = kStage;
    cost.hidden = m_spec.hidden;
    cost.heads = m_spec.heads;
    cost.attentionWidth = static_cast<std::int64_t>(m_spec.heads) * m_spec.headDim;
    cost.mlpWidth = m_spec.intermediate;
    cost.layers = m_spec.layers;
    return cost;
}

void BertEncoder::visit(WeightVisitor& weights) {
    const std::int64_t hidden = m_spec.hidden;
    const std::string embeddings = m_spec.prefix + "embeddings.";
    weights.linear(m_words, embeddings + "word_embeddings", m_spec.vocabulary, hidden, Bias::None);
    weights.tensor(m_places, embeddings + "position_embeddings.weight", {m_spec.positions, hidden});
    weights.tensor(m_types, embeddings + "token_type_embeddings.weight", {m_spec.types, hidden});
    weights.norm(m_norm, embeddings + "LayerNorm", hidden);
    m_norm.eps = m_spec.eps;
    m_blocks.resize(static_cast<std::size_t>(m_spec.layers));
    for (int i = 0; i < m_spec.layers; ++i) {
        Block& block = m_blocks[static_cast<std::size_t>(i)];
        const std::string layer = blockPath(m_spec.prefix + "encoder.layer.{i}.", i);
        weights.linear(block.query, layer + "attention.self.query", hidden, hidden);
        weights.linear(block.key, layer + "attention.self.key", hidden, hidden);
        weights.linear(block.value, layer + "attention.self.value", hidden, hidden);
        weights.linear(block.output, layer + "attention.output.dense", hidden, hidden);
        weights.norm(block.afterAttention, layer + "attention.output.LayerNorm", hidden);
        weights.linear(block.in, layer + "intermediate.dense", m_spec.intermediate, hidden);
        weights.linear(block.out, layer + "output.dense", hidden, m_spec.intermediate);
        weights.norm(block.afterMlp, layer + "output.LayerNorm", hidden);
        block.afterAttention.eps = block.afterMlp.eps = m_spec.eps;
    }
}

at::Tensor BertEncoder::embed(Forward& forward) const {
    const at::Tensor ids = forward.input("input_ids"), given = forward.input("inputs_embeds");
    const at::Tensor types = forward.input("token_type_ids"), places = forward.input("position_ids");
    const at::Tensor words = ids.defined() ? forward.embedding(m_words, ids.to(at::kLong)) : given.to(dtype());
    const at::Tensor type = types.defined() ? at::embedding(m_types, types.to(at::kLong)) : m_types.narrow(0, 0, 1).unsqueeze(0);
    const at::Tensor place = places.defined() ? at::embedding(m_places, places.to(at::kLong))
                                              : m_places.narrow(0, 0, words.size(1)).unsqueeze(0);
    return m_norm(words + type + place);
}

at::Tensor BertEncoder::attention(int index, const at::Tensor& x, const at::Tensor& bias, Forward& forward) const {
    const Block& block = m_blocks[static_cast<std::size_t>(index)];
    const auto heads = [&](const Linear& weight) {
        return forward.linear(weight, x).view({x.size(0), x.size(1), m_spec.heads, m_spec.headDim}).transpose(1, 2);
    };
    AttentionCall call;
    call.site = m_firstSite + index;
    call.query = heads(block.query);
    call.key = heads(block.key);
    call.value = heads(block.value);
    call.bias = selectBias(bias, forward.keptTokens(kStage));
    call.scale = 1.0 / std::sqrt(static_cast<double>(m_spec.headDim));
    call.outputWeight = block.output.weight;
    const at::Tensor mixed = forward.attend(call).transpose(1, 2).reshape({1, x.size(1), -1});
    return forward.attentionOutput(call.site, forward.linear(block.output, mixed));
}

at::Tensor BertEncoder::run(Forward& forward) const {
    const at::Tensor mask = forward.input("attention_mask");
    at::Tensor bias;
    if (mask.defined() && !mask.to(at::kBool).all().item<bool>()) bias = paddingBias(mask, dtype());
    const auto resumed = forward.resume(kStage);
    at::Tensor x = resumed ? resumed->x : embed(forward);
    for (int i = resumed ? resumed->block : 0; i < m_spec.layers; ++i) {
        const Block& block = m_blocks[static_cast<std::size_t>(i)];
        x = forward.enterBlock(kStage, i, x);
        const at::Tensor mixed = forward.tap(tapName(i, "attention"), attention(i, x, bias, forward));
        x = block.afterAttention(at::add(mixed, x));
        const at::Tensor inner = activate(m_spec.activation, forward.linear(block.in, x));
        const at::Tensor added = forward.tap(tapName(i, "mlp"), forward.linear(block.out, inner));
        x = block.afterMlp(at::add(added, x));
    }
    forward.leaveStage(kStage, m_spec.layers, x);
    return x;
}

}  // namespace fovea
