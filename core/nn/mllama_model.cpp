#include "nn/mllama_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/add.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>

#include "attention/trace_impl.h"
#include "fovea/error.h"
#include "io/tensor_info.h"
#include "nn/language_model.h"
#include "nn/numeric_limits.h"
#include "nn/rope.h"
#include "nn/vision_model.h"

namespace fovea {
namespace {

// transformers' files hold eight more rows of embeddings than the vocabulary: the image token is among them.
constexpr std::int64_t extraRows = 8;
// The stage of a token map whose tokens are the keys of the cross blocks.
constexpr const char* kPictures = "projector";

}  // namespace

MllamaModel::MllamaModel(Parts parts) : m_parts(std::move(parts)), m_tower(m_parts.tower) {
    m_blocks.resize(m_parts.decoder.layers.size());
    for (const std::int64_t block : m_parts.crossBlocks) m_blocks[static_cast<std::size_t>(block)].cross = true;
    for (const std::string& text : m_parts.prompts->notices()) notice(text);
}

std::vector<InputTensor> MllamaModel::accepted() const {
    using Values = InputTensor::Values;
    return {{"input_ids", 2, Values::Integer},         {"attention_mask", 2, Values::Integer},
            {"position_ids", 2, Values::Integer},      {"pixel_values", 6, Values::Floating},
            {"aspect_ratio_ids", 2, Values::Integer},  {"aspect_ratio_mask", 3, Values::Integer},
            {"cross_attention_mask", 4, Values::Integer}};
}

void MllamaModel::describe(ModelSpec& spec) {
    m_tower.describe(spec);
    const DecoderSpec& text = m_parts.decoder;
    StageSpec stage;
    stage.id = text.stage;
    stage.layers = static_cast<int>(m_blocks.size());
    stage.hidden = static_cast<int>(text.hidden);
    spec.stages.push_back(std::move(stage));
    m_firstSite = static_cast<int>(spec.sites.size());
    for (std::size_t i = 0; i < m_blocks.size(); ++i) {
        AttentionSite site;
        site.stage = text.stage;
        site.block = static_cast<int>(i);
        site.kind = m_blocks[i].cross ? SiteKind::Cross : SiteKind::Self;
        site.heads = text.heads;
        site.keyValueHeads = text.keyValueHeads;
        site.headDim = text.headDim;
        site.causal = !m_blocks[i].cross;
        if (m_blocks[i].cross) site.keyStage = kPictures;
        site.module = blockPath(text.names.module, site.block);
        if (m_blocks[i].cross) site.module.replace(site.module.rfind("self_attn"), 9, "cross_attn");
        spec.sites.push_back(std::move(site));
    }
    for (const InputTensor& input : accepted()) spec.inputs.push_back(input.name);
    spec.capabilities.generate = true;
    spec.generation = m_parts.rules;
}

void MllamaModel::visit(WeightVisitor& weights) {
    const DecoderSpec& text = m_parts.decoder;
    const DecoderNames& names = text.names;
    const std::int64_t inner = static_cast<std::int64_t>(text.heads) * text.headDim;
    const std::int64_t shared = static_cast<std::int64_t>(text.keyValueHeads) * text.headDim;
    m_tower.visit(weights);
    weights.linear(m_projector, m_parts.projector, text.hidden, m_parts.tower.output());
    weights.linear(m_embedding, names.embedding, text.vocabulary + extraRows, text.hidden, Bias::None);
    for (std::size_t i = 0; i < m_blocks.size(); ++i) {
        Block& block = m_blocks[i];
        const auto path = [&](const std::string& pattern) {
            std::string name = blockPath(pattern, static_cast<int>(i));
            if (const auto at = name.rfind("self_attn"); block.cross && at != std::string::npos)
                name.replace(at, 9, "cross_attn");
            return name;
        };
        block.norm1.visit(weights, path(names.norm1), text.hidden, NormKind::Rms, text.eps);
        weights.linear(block.query, path(names.query), inner, text.hidden, Bias::None);
        weights.linear(block.key, path(names.key), shared, text.hidden, Bias::None);
        weights.linear(block.value, path(names.value), shared, text.hidden, Bias::None);
        weights.linear(block.output, path(names.output), text.hidden, inner, Bias::None);
        if (block.cross) {
            const std::string attention = path(names.module) + ".", layer = path(names.module).substr(0, path(names.module).rfind('.') + 1);
            block.queryNorm.visit(weights, attention + "q_norm", text.headDim, NormKind::Rms, text.eps);
            block.keyNorm.visit(weights, attention + "k_norm", text.headDim, NormKind::Rms, text.eps);
            weights.tensor(block.attentionGate, layer + "cross_attn_attn_gate", {1});
            weights.tensor(block.mlpGate, layer + "cross_attn_mlp_gate", {1});
        }
        block.norm2.visit(weights, path(names.norm2), text.hidden, NormKind::Rms, text.eps);
        block.mlp.visit(weights, {text.mlp, text.hidden, text.intermediate, text.activation, Bias::None, path(names.mlpIn),
                                  path(names.mlpGate), path(names.mlpOut)});
    }
    m_finalNorm.visit(weights, names.finalNorm, text.hidden, NormKind::Rms, text.eps);
    weights.linear(m_head, names.head, text.vocabulary, text.hidden, Bias::None);
}

std::vector<StageCost> MllamaModel::costs() const {
    const DecoderSpec& spec = m_parts.decoder;
    StageCost text;
    text.stage = spec.stage;
    text.hidden = spec.hidden;
    text.heads = spec.heads;
    text.attentionWidth = static_cast<std::int64_t>(spec.heads) * spec.headDim;
    text.mlpWidth = 2 * spec.intermediate;
    text.layers = static_cast<std::int64_t>(m_blocks.size());
    text.vocabulary = spec.vocabulary;
    StageCost vision = costOf(m_parts.tower.local, 1);
    vision.layers += m_parts.tower.global.layers;
    return {vision, text};
}

MemoryEstimate MllamaModel::estimate(const ModelInput& given, const CaptureRequest& capture, bool gradients) const {
    const auto* input = dynamic_cast<const MllamaInput*>(&given);
    // The tokens of a lone picture are in the map of the whole.
    const bool several = input && input->pictureTokens.size() > 1;
    return estimateWithParts(given, several ? input->pictureTokens : std::vector<TokenMap>(), capture, gradients);
}

void MllamaModel::addCrossMask(Picture& picture, const at::Tensor& mask) const {
    const std::int64_t length = mask.size(1);
    const at::Tensor seen = mask.to(at::kBool).reshape({length, -1}).repeat_interleave(m_parts.tower.tokensPerTile(), 1);
    const at::Tensor some = seen.any(1, true);
    const at::ScalarType dtype = m_embedding.weight.scalar_type();
    const at::Tensor zero = at::zeros({}, m_embedding.weight.options());
    // A token that sees no picture attends to all of it, and its feed-forward part is left out, as in the reference.
    picture.bias = at::where(seen.logical_or(some.logical_not()), zero, zero + lowestValue(dtype)).unsqueeze(0).unsqueeze(0);
    picture.rows = some.to(dtype).unsqueeze(0);
}

at::Tensor MllamaModel::towerStates(const ModelInput& input, Forward& forward) const {
    const at::Tensor pixels = forward.input("pixel_values");
    const auto* own = dynamic_cast<const MllamaInput*>(&input);
    if (!own) throw Error("the input was not encoded by this model", {}, ErrorCode::Internal);
    const at::Tensor ratios = forward.input("aspect_ratio_ids").to(at::kCPU, at::kLong);
    const at::Tensor tiles = forward.input("aspect_ratio_mask");
    std::vector<at::Tensor> states;
    for (std::int64_t i = 0; i < pixels.size(1); ++i) {
        const bool alone = pixels.size(1) == 1;
        if (!alone) forward.beginPart(fmt::format("image{}/", i), own->pictureTokens[static_cast<std::size_t>(i)]);
        states.push_back(m_tower.run(pixels[0][i], ratios[0][i].item<std::int64_t>(), tiles[0][i], forward));
        if (!alone) forward.endPart();
    }
    return forward.linear(m_projector, at::cat(states, 0).unsqueeze(0));
}

MllamaModel::Picture MllamaModel::see(const ModelInput& input, Forward& forward) const {
    Picture picture;
    picture.seen = forward.input("pixel_values").defined();
    if (!picture.seen) return picture;
    const auto make = [&]() -> std::vector<at::Tensor> { return {towerStates(input, forward)}; };
    picture.states = forward.kept(m_parts.tower.local.stage, {}, make).front();
    const at::Tensor mask = forward.input("cross_attention_mask");
    if (!mask.defined()) return picture;
    const std::int64_t keys = mask.size(2) * mask.size(3) * m_parts.tower.tokensPerTile();
    if (keys != picture.states.size(1))
        throw Error(fmt::format("cross_attention_mask: expected tiles of {} tokens in all, found {}",
                                picture.states.size(1), keys),
                    "Write all tensors with the same processor call.");
    addCrossMask(picture, mask);
    return picture;
}

at::Tensor MllamaModel::finish(const Block& block, AttentionCall& call, const at::Tensor& x, Forward& forward) const {
    call.outputWeight = block.output.weight;
    call.scale = m_parts.decoder.scale;
    const at::Tensor mixed = forward.attend(call).transpose(1, 2).reshape({1, x.size(1), -1});
    return forward.attentionOutput(call.site, forward.linear(block.output, mixed));
}

void MllamaModel::maskSelf(AttentionCall& call, const Pass& pass, const Forward& forward) const {
    call.causal = pass.mask.plain();
    if (call.causal) return;
    const auto options = pass.ids.options();
    const MaskTokens tokens{at::arange(pass.ids.size(1), options) + forward.past(), at::arange(call.key.size(2), options)};
    call.bias = maskBias(pass.mask, 0, tokens, call.query.scalar_type());
}

at::Tensor MllamaModel::selfAttention(int index, const at::Tensor& x, const RotaryTable& rope, const Pass& pass,
                                      Forward& forward) const {
    const Block& block = m_blocks[static_cast<std::size_t>(index)];
    const DecoderSpec& text = m_parts.decoder;
    const auto heads = [&](const Linear& weight, std::int64_t count) {
        return forward.linear(weight, x).view({1, x.size(1), count, text.headDim}).transpose(1, 2);
    };
    AttentionCall call;
    call.site = m_firstSite + index;
    call.query = rotate(heads(block.query, text.heads), rope);
    call.key = rotate(heads(block.key, text.keyValueHeads), rope);
    call.value = heads(block.value, text.keyValueHeads);
    forward.useCache(call);
    maskSelf(call, pass, forward);
    return finish(block, call, x, forward);
}

at::Tensor MllamaModel::crossAttention(int index, const at::Tensor& x, const Picture& picture, Forward& forward) const {
    const Block& block = m_blocks[static_cast<std::size_t>(index)];
    const DecoderSpec& text = m_parts.decoder;
    const auto heads = [&](const Linear& weight, const at::Tensor& from, std::int64_t count) {
        return forward.linear(weight, from).view({1, from.size(1), count, text.headDim}).transpose(1, 2);
    };
    AttentionCall call;
    call.site = m_firstSite + index;
    call.query = block.queryNorm(heads(block.query, x, text.heads));
    forward.useFixedKeys(call, [&](AttentionCall& fixed) {
        fixed.key = block.keyNorm(heads(block.key, picture.states, text.keyValueHeads));
        fixed.value = heads(block.value, picture.states, text.keyValueHeads);
    });
    call.bias = picture.bias;
    return finish(block, call, x, forward) * block.attentionGate.tanh();
}

void MllamaModel::runText(const Pass& pass, Forward& forward) const {
    const DecoderSpec& text = m_parts.decoder;
    std::vector<std::string> reads;
    if (pass.picture.seen) reads.push_back(m_parts.tower.local.stage);
    const auto resumed = forward.resume(text.stage, reads);
    at::Tensor x = resumed ? resumed->x : forward.embedding(m_embedding, pass.ids);
    const RotaryTable rope = ropeTable(text.ropes.front(), pass.positions, x.scalar_type());
    for (std::size_t i = resumed ? static_cast<std::size_t>(resumed->block) : 0; i < m_blocks.size(); ++i) {
        const Block& block = m_blocks[i];
        const auto index = static_cast<int>(i);
        x = forward.enterBlock(text.stage, index, x);
        if (forward.keptTokens(text.stage).defined())
            throw Error("tokens of this model's text cannot be pruned", "Mask them instead.", ErrorCode::Usage);
        if (block.cross && !pass.picture.seen) continue;
        const at::Tensor normed = block.norm1(x);
        x = at::add(x, block.cross ? crossAttention(index, normed, pass.picture, forward)
                                   : selfAttention(index, normed, rope, pass, forward));
        at::Tensor inner = block.mlp(block.norm2(x), forward);
        if (block.cross && pass.picture.rows.defined()) inner = inner * pass.picture.rows;
        x = at::add(x, block.cross ? inner * block.mlpGate.tanh() : inner);
    }
    forward.leaveStage(text.stage, static_cast<int>(m_blocks.size()), x);
    x = m_finalNorm(x);
    forward.output("logits", forward.linear(m_head, forward.toReadOut(text.stage, x)));
}

void MllamaModel::run(const ModelInput& input, int, Forward& forward) const {
    begin(forward);
    const at::Tensor given = forward.input("position_ids");
    Pass pass;
    pass.picture = see(input, forward);
    pass.ids = forward.input("input_ids").to(at::kLong);
    const std::int64_t length = pass.ids.size(1);
    pass.positions = given.defined() ? continuedPositions(given[0].to(at::kLong), length) : at::arange(length, pass.ids.options());
    pass.mask = continued(textMask(forward.input("attention_mask"), given), length);
    runText(pass, forward);
}

std::shared_ptr<ModelInput> MllamaModel::withAnswer(const ModelInput& given, int item, const std::vector<int>& ids) const {
    const auto* own = dynamic_cast<const MllamaInput*>(&given);
    if (!own) throw Error("the input was not encoded by this model", {}, ErrorCode::Internal);
    auto longer = std::make_shared<MllamaInput>(*own);
    TensorItem& tensors = longer->items.at(static_cast<std::size_t>(item));
    tensors["input_ids"] = followedBy(tensors.at("input_ids"), ids);
    // An answer sees what the last token of the prompt has seen.
    if (const auto mask = tensors.find("cross_attention_mask"); mask != tensors.end())
        mask->second = at::cat({mask->second, mask->second.narrow(1, mask->second.size(1) - 1, 1)
                                                  .expand({-1, static_cast<std::int64_t>(ids.size()), -1, -1})},
                               1);
    return longer;
}

void MllamaModel::runNext(const ModelInput&, int, const std::vector<int>& ids, Forward& forward) const {
    begin(forward);
    const at::Tensor prompt = forward.input("input_ids"), given = forward.input("position_ids");
    Pass pass;
    pass.ids = nextTokens(ids, prompt.device());
    const std::int64_t ahead = given.defined() ? given.max().item<std::int64_t>() + 1 - prompt.size(1) : 0;
    pass.positions = at::arange(pass.ids.size(1), pass.ids.options()) + (forward.past() + ahead);
    pass.mask = continued(textMask(forward.input("attention_mask"), given), forward.past() + pass.ids.size(1));
    pass.picture.seen = forward.input("pixel_values").defined();
    // An answer sees what the last token of the prompt has seen.
    if (const at::Tensor mask = forward.input("cross_attention_mask"); pass.picture.seen && mask.defined())
        addCrossMask(pass.picture, mask.narrow(1, mask.size(1) - 1, 1).expand({1, pass.ids.size(1), -1, -1}));
    runText(pass, forward);
}

Array MllamaModel::readOut(const Array& rows) const {
    const at::AutoGradMode gradients(false);
    return toArray(at::linear(m_finalNorm(streamRows(rows, m_parts.decoder.hidden, m_head.weight)), m_head.weight));
}

DecoderSpec MllamaModel::textLimits() const {
    DecoderSpec text = m_parts.decoder;
    text.vocabulary += extraRows;
    return text;
}

TokenMap MllamaModel::pictureMap(const at::Tensor& mask, const VisionImage* image) const {
    const auto side = static_cast<int>(m_parts.tower.imageSize);
    const auto patch = static_cast<double>(m_parts.tower.patches.height);
    const int grid = side / static_cast<int>(m_parts.tower.patches.height);
    TokenMap map;
    StageTokens stage = m_tower.tokens(mask);
    if (image)
        map.images.push_back({image->width, image->height, grid * std::max(1, image->tileRows),
                              grid * std::max(1, image->tileColumns), {}});
    else
        map.images.resize(static_cast<std::size_t>(m_parts.tower.tiles), {side, side, grid, grid, {}});
    for (Token& token : stage.tokens) {
        if (token.image < 0) continue;
        const auto tile = static_cast<std::size_t>(token.image);
        token.rect = {token.column * patch, token.row * patch, patch, patch};
        if (!image || tile >= image->tiles.size()) continue;
        const VisionTile& view = image->tiles[tile];
        token.rect = originalRect(view, token.rect);
        token.image = 0;
        token.row += view.row * grid;
        token.column += view.column * grid;
        if (token.rect.width <= 0 || token.rect.height <= 0) token.kind = TokenKind::Padding;
    }
    map.stages.push_back(std::move(stage));
    return map;
}

// The tower's tokens where there is one picture; the keys of the cross blocks: the tokens of all pictures without what
// fills each tile up.
void MllamaModel::describePictures(MllamaInput& input, const TensorItem& item, const std::vector<VisionImage>& images) const {
    TokenMap& map = input.maps.front();
    const at::Tensor mask = item.at("aspect_ratio_mask");
    StageTokens keys;
    keys.stage = kPictures;
    for (std::int64_t i = 0; i < mask.size(1); ++i) {
        const VisionImage* image = images.empty() ? nullptr : &images[static_cast<std::size_t>(i)];
        TokenMap own = pictureMap(mask[0][i], image);
        const auto first = static_cast<int>(map.images.size());
        for (const Token& token : own.stages.front().tokens) {
            if (token.index % m_parts.tower.paddedPerTile() >= m_parts.tower.tokensPerTile()) continue;
            Token key = token;
            key.index = keys.size();
            if (key.image >= 0) key.image += first;
            keys.tokens.push_back(std::move(key));
        }
        map.images.insert(map.images.end(), own.images.begin(), own.images.end());
        if (mask.size(1) == 1) map.stages.push_back(own.stages.front());
        input.pictureTokens.push_back(std::move(own));
    }
    map.stages.push_back(std::move(keys));
}

namespace {

// Which tokens see which tiles: a picture serves the text from its own token to the next picture; pictures that stand
// together serve the text behind them alike.
at::Tensor crossMask(const std::vector<int>& ids, std::int64_t token, const std::vector<VisionImage>& images,
                     std::int64_t tiles) {
    const auto length = static_cast<std::int64_t>(ids.size());
    std::vector<std::pair<std::int64_t, std::int64_t>> spans;
    for (std::int64_t i = 0; i < length; ++i)
        if (ids[static_cast<std::size_t>(i)] == token) {
            if (!spans.empty()) spans.back().second = i;
            spans.emplace_back(i, length);
        }
    std::int64_t end = length;
    for (auto span = spans.rbegin(); span != spans.rend(); ++span) {
        if (span->first == span->second - 1) span->second = end;
        end = span->second;
    }
    for (const VisionImage& image : images)
        if (static_cast<std::int64_t>(image.tiles.size()) > tiles)
            throw Error(fmt::format("the picture: expected at most {} tiles, found {}", tiles, image.tiles.size()),
                        "max_image_tiles of preprocessor_config.json and vision_config.max_num_tiles of config.json disagree.");
    at::Tensor mask = at::zeros({1, length, static_cast<std::int64_t>(images.size()), tiles}, at::kLong);
    for (std::size_t i = 0; i < spans.size() && i < images.size(); ++i)
        mask[0]
            .narrow(0, spans[i].first, spans[i].second - spans[i].first)
            .select(1, static_cast<std::int64_t>(i))
            .narrow(1, 0, static_cast<std::int64_t>(images[i].tiles.size()))
            .fill_(1);
    return mask;
}

}  // namespace

std::shared_ptr<const ModelInput> MllamaModel::fromPrompt(const UserInput& user) const {
    PromptTensors prompt = m_parts.prompts->encode(
        user, {m_parts.decoder.vocabulary, m_parts.decoder.positions, m_parts.imageToken});
    const auto slots = std::count(prompt.encoding.ids.begin(), prompt.encoding.ids.end(), static_cast<int>(m_parts.imageToken));
    if (slots != static_cast<std::ptrdiff_t>(user.images.size()))
        throw Error(fmt::format("the prompt: expected {} image tokens, one for each picture, found {}", user.images.size(), slots),
                    "Write <|image|> where a picture belongs, or leave the prompt to the chat template.");
    TensorItem item = prompt.item;
    if (!prompt.images.empty())
        item["cross_attention_mask"] = crossMask(prompt.encoding.ids, m_parts.imageToken, prompt.images, m_parts.tower.tiles);
    for (auto entry = item.begin(); entry != item.end();) {  // what only the processor wants to know (num_tiles)
        const bool known = [&] {
            for (const InputTensor& input : accepted())
                if (input.name == entry->first) return true;
            return false;
        }();
        entry = known ? std::next(entry) : item.erase(entry);
    }
    auto input = std::make_shared<MllamaInput>();
    input->maps.emplace_back();
    input->notices = prompt.notices;
    if (!prompt.images.empty()) describePictures(*input, item, prompt.images);
    input->maps.front().stages.push_back(
        promptTokens(m_parts.prompts->reader(), m_parts.decoder.stage, prompt.text, prompt.encoding));
    input->black = m_parts.prompts->black();
    for (std::size_t i = 0; i < prompt.images.size(); ++i) {
        const VisionTile& shown = prompt.images[i].tiles.front();
        input->originals.push_back(user.images[i]);
        input->seen.push_back(shown.seen);
        input->transforms.push_back(shown.transform);
    }
    input->pictures = prompt.images;
    input->windows.resize(prompt.images.size());
    if (prompt.images.empty()) {
        input->originals.emplace_back();
        input->seen.emplace_back();
        input->transforms.emplace_back();
    }
    input->text = prompt.text;
    input->ids = prompt.encoding.ids;
    input->spans = prompt.encoding.spans;
    input->mainTensor = item.count("pixel_values") ? "pixel_values" : "input_ids";
    input->items.push_back(placed(std::move(item)));
    return input;
}

std::shared_ptr<const ModelInput> MllamaModel::encode(const UserInput& user) const {
    if (user.tensors.empty()) return fromPrompt(user);
    const TensorItem item = readPromptTensors(user.tensors, accepted());
    if (!item.count("input_ids")) throw Error("--tensors: expected input_ids, found none",
                                              "Add input_ids to the file, or give --image and --prompt.");
    auto input = std::make_shared<MllamaInput>();
    input->allLogits = true;
    input->notices = doubtfulTensors(item, {m_parts.imageToken});
    input->maps.emplace_back();
    if (item.count("pixel_values")) {
        const std::int64_t pictures = item.at("pixel_values").size(1);
        for (const char* name : {"aspect_ratio_ids", "aspect_ratio_mask"})
            if (!item.count(name) || item.at(name).size(1) != pictures)
                throw Error(fmt::format("{}: expected one entry for each of {} pictures", name, pictures),
                            "Write all tensors with the same processor call.");
        if (item.at("aspect_ratio_mask").size(2) != m_parts.tower.tiles)
            throw Error(fmt::format("aspect_ratio_mask: expected {} tiles, found {}", m_parts.tower.tiles,
                                    item.at("aspect_ratio_mask").size(2)),
                        "Write all tensors with the same processor call.");
        describePictures(*input, item, {});
    }
    input->maps.front().stages.push_back(textTokens(item, textLimits(), &m_parts.prompts->reader()));
    const auto length = static_cast<std::int64_t>(input->maps.front().stages.back().size());
    if (const auto mask = item.find("cross_attention_mask"); mask != item.end() && mask->second.size(1) != length)
        throw Error(fmt::format("cross_attention_mask: expected {} rows like the tokens, found {}", length,
                                mask->second.size(1)),
                    "Write all tensors with the same processor call.");
    input->mainTensor = item.count("pixel_values") ? "pixel_values" : "input_ids";
    input->originals.push_back(user.images.empty() ? Pixels() : user.images.front());
    input->seen.emplace_back();
    input->transforms.emplace_back();
    input->items.push_back(placed(item));
    return input;
}

}  // namespace fovea
