#include "nn/text_transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tril.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "attention/forward.h"
#include "fovea/error.h"
#include "io/tensor_info.h"
#include "nn/numeric_limits.h"
#include "nn/vision_transformer.h"

namespace fovea {

void TextTransformer::describe(ModelSpec& model) {
    StageSpec stage;
    stage.id = m_spec.blocks.stage;
    stage.layers = m_spec.blocks.layers;
    stage.hidden = static_cast<int>(m_spec.blocks.hidden);
    model.stages.push_back(std::move(stage));
    m_blocks.addSites(model.sites);
    m_blocks.addTaps(model.taps);
}

void TextTransformer::visit(WeightVisitor& weights) {
    const std::int64_t hidden = m_spec.blocks.hidden;
    weights.tensor(m_tokens, m_spec.prefix + "embeddings.token_embedding.weight",
                   {m_spec.vocabulary, hidden});
    weights.tensor(m_positions, m_spec.prefix + "embeddings.position_embedding.weight",
                   {m_spec.positions, hidden});
    m_blocks.visit(weights);
    weights.norm(m_norm, m_spec.prefix + "final_layer_norm", hidden);
    m_norm.eps = m_spec.blocks.eps;
    weights.linear(m_projection, m_spec.projection, m_spec.projectionSize, hidden, m_spec.projectionBias);
}

std::vector<InputTensor> TextTransformer::accepted() const {
    using Values = InputTensor::Values;
    return {{"input_ids", 2, Values::Integer},
            {"attention_mask", 2, Values::Integer},
            {"position_ids", 2, Values::Integer}};
}

StageTokens TextTransformer::tokensOf(const TensorItem& item) const {
    const at::Tensor ids = item.at("input_ids").to(at::kCPU, at::kLong).contiguous();
    const std::int64_t length = ids.size(1);
    if (length > m_spec.positions)
        throw Error(fmt::format("input_ids: expected at most {} tokens, found {}", m_spec.positions, length),
                    "Shorten the text.");
    requireRange("input_ids", ids, m_spec.vocabulary);
    for (const char* name : {"attention_mask", "position_ids"})
        if (const auto found = item.find(name); found != item.end() && found->second.size(1) != length)
            throw Error(fmt::format("{}: expected shape [1, {}] like input_ids, found {}", name, length,
                                    shapeText(found->second.sizes().vec())),
                        "Write all tensors with the same processor call.");
    if (const auto found = item.find("position_ids"); found != item.end())
        requireRange("position_ids", found->second.to(at::kLong), m_spec.positions);
    at::Tensor mask;
    if (const auto found = item.find("attention_mask"); found != item.end())
        mask = found->second.to(at::kCPU, at::kBool).contiguous();

    StageTokens tokens;
    tokens.stage = m_spec.blocks.stage;
    for (std::int64_t i = 0; i < length; ++i) {
        Token token;
        token.index = static_cast<int>(i);
        const bool padding = mask.defined() && !mask.const_data_ptr<bool>()[i];
        token.kind = padding ? TokenKind::Padding : TokenKind::Text;
        token.text = fmt::format("<{}>", ids.const_data_ptr<std::int64_t>()[i]);
        tokens.tokens.push_back(std::move(token));
    }
    return tokens;
}

std::int64_t TextTransformer::pooledPosition(const at::Tensor& ids) const {
    const at::Tensor plain = ids.to(at::kCPU, at::kLong).contiguous();
    const std::int64_t* values = plain.const_data_ptr<std::int64_t>();
    const std::int64_t length = plain.size(1);
    if (m_spec.pooling == TextPooling::Last) return length - 1;
    std::int64_t best = 0;
    for (std::int64_t i = 0; i < length; ++i) {
        if (m_spec.pooling == TextPooling::FirstEnd && values[i] == m_spec.endToken) return i;
        if (m_spec.pooling == TextPooling::LargestId && values[i] > values[best]) best = i;
    }
    return best;
}

at::Tensor TextTransformer::maskBias(const at::Tensor& mask) const {
    if (!mask.defined() || mask.to(at::kBool).all().item<bool>()) return {};
    const at::ScalarType dtype = m_blocks.dtype();
    if (!m_spec.blocks.causal) return paddingBias(mask, dtype);
    const std::int64_t length = mask.size(1);
    at::Tensor visible = at::tril(at::ones({length, length}, mask.options().dtype(at::kBool)));
    visible = visible.logical_and(mask.to(at::kBool));
    const at::Tensor zero = at::zeros({}, mask.options().dtype(dtype));
    return at::where(visible, zero, zero + lowestValue(dtype)).view({1, 1, length, length});
}

TextTransformer::Result TextTransformer::run(Forward& forward) const {
    const at::Tensor ids = forward.input("input_ids").to(at::kLong);
    const auto embed = [&] {
        const at::Tensor chosen = forward.input("position_ids");
        const at::Tensor positions = chosen.defined() ? at::embedding(m_positions, chosen.to(at::kLong))
                                                      : m_positions.narrow(0, 0, ids.size(1)).unsqueeze(0);
        return at::embedding(m_tokens, ids) + positions;
    };
    BlockContext context;
    context.bias = maskBias(forward.input("attention_mask"));
    Result result;
    result.hidden = m_norm(m_blocks.run(embed, context, forward));
    const at::Tensor vector =
        tokenOf(result.hidden, forward.keptTokens(m_spec.blocks.stage), pooledPosition(ids));
    result.embed = forward.linear(m_projection, vector);
    return result;
}

}  // namespace fovea
