#include "nn/blip_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/add.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/embedding.h>
#include <fmt/format.h>

#include <cmath>

#include "fovea/error.h"
#include "nn/vision_model.h"
#include "nn/language_model.h"

namespace fovea {

BlipModel::BlipModel(Parts parts) : m_parts(std::move(parts)), m_tower(m_parts.tower) {
    for (const std::string& text : m_parts.prompts->notices()) notice(text);
}

std::vector<InputTensor> BlipModel::accepted() const {
    using Values = InputTensor::Values;
    return {{"pixel_values", 4, Values::Floating}, {"input_ids", 2, Values::Integer}, {"attention_mask", 2, Values::Integer}};
}

void BlipModel::describe(ModelSpec& spec) {
    m_tower.describe(spec);
    const BlipTextSpec& text = m_parts.text;
    StageSpec stage;
    stage.id = text.stage;
    stage.layers = text.layers;
    stage.hidden = static_cast<int>(text.hidden);
    spec.stages.push_back(std::move(stage));
    m_firstSite = static_cast<int>(spec.sites.size());
    for (int i = 0; i < text.layers; ++i)
        for (const SiteKind kind : {SiteKind::Self, SiteKind::Cross}) {
            AttentionSite site;
            site.stage = text.stage;
            site.block = i;
            site.kind = kind;
            site.heads = site.keyValueHeads = text.heads;
            site.headDim = text.headDim;
            site.causal = kind == SiteKind::Self;
            site.module = fmt::format("{}bert.encoder.layer.{}.{}.self", text.prefix, i,
                                      kind == SiteKind::Self ? "attention" : "crossattention");
            spec.sites.push_back(std::move(site));
        }
    for (const InputTensor& input : accepted()) spec.inputs.push_back(input.name);
}

void BlipModel::visitAttention(WeightVisitor& weights, Attention& attention, const std::string& path,
                               std::int64_t keys) const {
    const std::int64_t hidden = m_parts.text.hidden;
    weights.linear(attention.query, path + "self.query", hidden, hidden);
    weights.linear(attention.key, path + "self.key", hidden, keys);
    weights.linear(attention.value, path + "self.value", hidden, keys);
    weights.linear(attention.output, path + "output.dense", hidden, hidden);
    attention.norm.visit(weights, path + "output.LayerNorm", hidden, NormKind::Layer, m_parts.text.eps);
}

void BlipModel::visit(WeightVisitor& weights) {
    const BlipTextSpec& text = m_parts.text;
    m_tower.visit(weights);
    weights.norm(m_finalNorm, m_parts.finalNorm, m_parts.tower.blocks.hidden);
    m_finalNorm.eps = m_parts.tower.blocks.eps;
    const std::string bert = text.prefix + "bert.", head = text.prefix + "cls.predictions.";
    weights.tensor(m_words, bert + "embeddings.word_embeddings.weight", {text.vocabulary, text.hidden});
    weights.tensor(m_positions, bert + "embeddings.position_embeddings.weight", {text.positions, text.hidden});
    m_embeddingNorm.visit(weights, bert + "embeddings.LayerNorm", text.hidden, NormKind::Layer, text.eps);
    m_blocks.resize(static_cast<std::size_t>(text.layers));
    for (int i = 0; i < text.layers; ++i) {
        Block& block = m_blocks[static_cast<std::size_t>(i)];
        const std::string layer = fmt::format("{}encoder.layer.{}.", bert, i);
        visitAttention(weights, block.self, layer + "attention.", text.hidden);
        visitAttention(weights, block.cross, layer + "crossattention.", text.encoderHidden);
        weights.linear(block.in, layer + "intermediate.dense", text.intermediate, text.hidden);
        weights.linear(block.out, layer + "output.dense", text.hidden, text.intermediate);
        block.norm.visit(weights, layer + "output.LayerNorm", text.hidden, NormKind::Layer, text.eps);
    }
    weights.linear(m_headDense, head + "transform.dense", text.hidden, text.hidden);
    m_headNorm.visit(weights, head + "transform.LayerNorm", text.hidden, NormKind::Layer, text.eps);
    // The head is the word embedding where the files hold none; its bias goes by two names.
    weights.tensor(m_headWeight, head + "decoder.weight", {text.vocabulary, text.hidden}, Need::Optional);
    weights.tensor(m_headBias, head + "decoder.bias", {text.vocabulary}, Need::Optional);
    weights.tensor(m_otherBias, head + "bias", {text.vocabulary}, Need::Optional);
}

at::Tensor BlipModel::attend(const Attention& weights, int site, const at::Tensor& x, const at::Tensor& source,
                             const at::Tensor& bias, Forward& forward) const {
    const BlipTextSpec& text = m_parts.text;
    const auto heads = [&](const Linear& weight, const at::Tensor& from) {
        const at::Tensor y = forward.linear(weight, from);
        return y.view({1, y.size(1), text.heads, text.headDim}).transpose(1, 2);
    };
    AttentionCall call;
    call.site = m_firstSite + site;
    call.query = heads(weights.query, x);
    call.key = heads(weights.key, source);
    call.value = heads(weights.value, source);
    call.scale = 1.0 / std::sqrt(static_cast<double>(text.headDim));
    call.bias = bias;
    call.causal = site % 2 == 0 && !bias.defined();
    call.outputWeight = weights.output.weight;
    const at::Tensor mixed = forward.attend(call).transpose(1, 2).reshape({1, x.size(1), -1});
    const at::Tensor out = forward.attentionOutput(call.site, forward.linear(weights.output, mixed));
    return weights.norm(at::add(out, x));
}

at::Tensor BlipModel::decode(const at::Tensor& picture, Forward& forward) const {
    const BlipTextSpec& text = m_parts.text;
    const at::Tensor ids = forward.input("input_ids").to(at::kLong), mask = forward.input("attention_mask");
    at::Tensor x = at::add(at::embedding(m_words, ids), m_positions.narrow(0, 0, ids.size(1)).unsqueeze(0));
    x = m_embeddingNorm(x);
    at::Tensor bias;
    if (mask.defined() && !mask.to(at::kBool).all().item<bool>()) {
        const at::Tensor all = at::arange(ids.size(1), ids.options());
        bias = maskBias(textMask(mask, {}), 0, {all, all}, x.scalar_type());
    }
    for (int i = 0; i < text.layers; ++i) {
        const Block& block = m_blocks[static_cast<std::size_t>(i)];
        x = forward.enterBlock(text.stage, i, x);
        if (forward.keptTokens(text.stage).defined())
            throw Error("tokens of BLIP's text cannot be pruned", "Mask them instead.", ErrorCode::Usage);
        x = attend(block.self, 2 * i, x, x, bias, forward);
        x = attend(block.cross, 2 * i + 1, x, picture, {}, forward);
        const at::Tensor inner = activate(text.activation, forward.linear(block.in, x));
        x = block.norm(at::add(forward.linear(block.out, inner), x));
    }
    forward.leaveStage(text.stage, text.layers, x);
    return x;
}

void BlipModel::runItem(Forward& forward) const {
    VisionPass pass;
    pass.pixels = forward.input("pixel_values");
    pass.resumable = false;
    const VisionTokens seen = m_tower.run(std::move(pass), forward);
    const at::Tensor picture = m_finalNorm(seen.hidden);
    forward.output("image_embeds", picture);
    forward.output("last_hidden_state", picture);
    const at::Tensor x = m_headNorm(activate(m_parts.text.activation, forward.linear(m_headDense, decode(picture, forward))));
    const bool all = forward.wantsAllLogits();
    const Linear head{m_headWeight.defined() ? m_headWeight : m_words, m_headBias.defined() ? m_headBias : m_otherBias,
                      m_parts.text.prefix + "cls.predictions.decoder"};
    forward.output("logits", forward.linear(head, all ? x : x.narrow(1, x.size(1) - 1, 1)));
}

std::vector<StageCost> BlipModel::costs() const {
    StageCost text;
    text.stage = m_parts.text.stage;
    text.hidden = text.attentionWidth = m_parts.text.hidden;
    text.heads = m_parts.text.heads;
    text.mlpWidth = m_parts.text.intermediate;
    text.layers = m_parts.text.layers;
    return {costOf(m_parts.tower.blocks, 0), text};
}

StageTokens BlipModel::pictureTokens(const TensorItem& item, const PixelTransform* transform) const {
    const at::Tensor& pixels = item.at("pixel_values");
    m_tower.requireSize(pixels.size(2), pixels.size(3));
    const std::int64_t side = m_parts.tower.patches.height;
    StageTokens stage;
    stage.stage = m_parts.tower.blocks.stage;
    stage.gridRows = static_cast<int>(pixels.size(2) / side);
    stage.gridColumns = static_cast<int>(pixels.size(3) / side);
    stage.tokens.push_back({0, TokenKind::Special, "[CLS]", -1, -1, -1, {}});
    for (int row = 0; row < stage.gridRows; ++row)
        for (int column = 0; column < stage.gridColumns; ++column) {
            const Rect rect{static_cast<double>(column * side), static_cast<double>(row * side),
                            static_cast<double>(side), static_cast<double>(side)};
            stage.tokens.push_back({stage.size(), TokenKind::Image, "", 0, row, column,
                                    transform ? transform->toOriginal(rect) : rect});
        }
    return stage;
}

StageTokens BlipModel::textTokensOf(const TensorItem& item) const {
    DecoderSpec text;
    text.stage = m_parts.text.stage;
    text.vocabulary = m_parts.text.vocabulary;
    text.hidden = m_parts.text.hidden;
    text.positions = m_parts.text.positions;
    text.names.positionEmbedding = "learned";
    return textTokens(item, text, &m_parts.prompts->reader());
}

std::shared_ptr<const ModelInput> BlipModel::encode(const UserInput& user) const {
    auto encoded = std::make_shared<TensorInput>();
    TokenMap map;
    TensorItem item;
    if (!user.tensors.empty()) {
        item = readPromptTensors(user.tensors, accepted());
        for (const char* name : {"pixel_values", "input_ids"})
            if (!item.count(name)) throw Error(fmt::format("--tensors: expected {}, found none", name));
        if (item.at("pixel_values").size(0) != 1)
            throw Error(fmt::format("pixel_values: expected one picture, found {}", item.at("pixel_values").size(0)));
        map.stages.push_back(pictureTokens(item, nullptr));
        const at::Tensor& pixels = item.at("pixel_values");
        map.images.push_back({static_cast<int>(pixels.size(3)), static_cast<int>(pixels.size(2)),
                              map.stages[0].gridRows, map.stages[0].gridColumns, {}});
        encoded->allLogits = true;
        encoded->originals.push_back(user.images.empty() ? Pixels() : user.images.front());
        encoded->seen.emplace_back();
        encoded->transforms.emplace_back();
        map.stages.push_back(textTokensOf(item));
    } else {
        if (user.images.size() != 1)
            throw Error(fmt::format("the model needs one picture, found {}", user.images.size()), "Give one with --image.");
        PromptTensors prompt = m_parts.prompts->encode(user, {m_parts.text.vocabulary, m_parts.text.positions, -1});
        item = std::move(prompt.item);
        const VisionTile& tile = prompt.images.front().tiles.front();
        map.stages.push_back(pictureTokens(item, &tile.transform));
        map.images.push_back({prompt.images.front().width, prompt.images.front().height, map.stages[0].gridRows,
                              map.stages[0].gridColumns, tile.transform.unread()});
        encoded->black = m_parts.prompts->black();
        encoded->originals.push_back(user.images.front());
        encoded->seen.push_back(tile.seen);
        encoded->transforms.push_back(tile.transform);
        map.stages.push_back(textTokensOf(item));
        for (Token& token : map.stages[1].tokens) {
            const auto i = static_cast<std::size_t>(token.index);
            token.kind = prompt.encoding.special[i] ? TokenKind::Special : TokenKind::Text;
            token.text = m_parts.prompts->reader().shown(prompt.encoding.ids[i]);
        }
    }
    encoded->maps.push_back(std::move(map));
    encoded->items.push_back(placed(std::move(item)));
    return encoded;
}

}  // namespace fovea
