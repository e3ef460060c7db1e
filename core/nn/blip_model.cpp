#include "nn/blip_model.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <fmt/format.h>

#include <optional>

#include "attention/trace_impl.h"
#include "fovea/error.h"
#include "nn/language_model.h"
#include "nn/vision_model.h"

namespace fovea {

BlipModel::BlipModel(Parts parts) : m_parts(std::move(parts)), m_tower(m_parts.tower), m_decoder(m_parts.decoder) {
    if (m_parts.question) m_question.emplace(*m_parts.question);
    for (const std::string& text : m_parts.prompts->notices()) notice(text);
}

std::vector<InputTensor> BlipModel::accepted() const {
    using Values = InputTensor::Values;
    std::vector<InputTensor> inputs{
        {"pixel_values", 4, Values::Floating}, {"input_ids", 2, Values::Integer}, {"attention_mask", 2, Values::Integer}};
    if (m_question) {
        inputs.push_back({"decoder_input_ids", 2, Values::Integer});
        inputs.push_back({"decoder_attention_mask", 2, Values::Integer});
    }
    return inputs;
}

void BlipModel::describe(ModelSpec& spec) {
    m_tower.describe(spec);
    if (m_question) m_question->describe(spec);
    m_decoder.describe(spec);
    for (const InputTensor& input : accepted()) spec.inputs.push_back(input.name);
    spec.capabilities.generate = true;
}

void BlipModel::visit(WeightVisitor& weights) {
    const BlipTextSpec& text = m_parts.decoder;
    const std::string& head = m_parts.head;
    m_tower.visit(weights);
    weights.norm(m_finalNorm, m_parts.finalNorm, m_parts.tower.blocks.hidden);
    m_finalNorm.eps = m_parts.tower.blocks.eps;
    if (m_question) m_question->visit(weights);
    m_decoder.visit(weights);
    weights.linear(m_headDense, head + "transform.dense", text.hidden, text.hidden);
    m_headNorm.visit(weights, head + "transform.LayerNorm", text.hidden, NormKind::Layer, text.eps);
    // The head is the word embedding where the files hold none; its bias goes by two names.
    weights.tensor(m_headWeight, head + "decoder.weight", {text.vocabulary, text.hidden}, Need::Optional);
    weights.tensor(m_headBias, head + "decoder.bias", {text.vocabulary}, Need::Optional);
    weights.tensor(m_otherBias, head + "bias", {text.vocabulary}, Need::Optional);
}

at::Tensor BlipModel::see(Forward& forward) const {
    VisionPass pass;
    pass.pixels = forward.input("pixel_values");
    const at::Tensor picture = m_finalNorm(m_tower.run(std::move(pass), forward).hidden);
    forward.output("image_embeds", picture);
    forward.output("last_hidden_state", picture);
    return picture;
}

// The question as its stack has read it with the picture.
at::Tensor BlipModel::read(const at::Tensor& picture, Forward& forward) const {
    const BlipTextPass asked{forward.input("input_ids").to(at::kLong), forward.input("attention_mask"), picture,
                             {m_parts.tower.blocks.stage}};
    const at::Tensor question = m_question->run(asked, forward);
    forward.output("question_embeds", question);
    return question;
}

// The decoder's own tokens and mask; what it attends to is left to the caller.
BlipTextPass BlipModel::decoderPass(Forward& forward) const {
    const char* ids = m_question ? "decoder_input_ids" : "input_ids";
    const char* mask = m_question ? "decoder_attention_mask" : "attention_mask";
    return {forward.input(ids).to(at::kLong), forward.input(mask), {}, {}};
}

Linear BlipModel::head() const {
    return {m_headWeight.defined() ? m_headWeight : m_decoder.words(), m_headBias.defined() ? m_headBias : m_otherBias,
            m_parts.head + "decoder"};
}

void BlipModel::outputLogits(const at::Tensor& x, Forward& forward) const {
    const at::Tensor read = forward.toReadOut(m_parts.decoder.stage, x);
    const at::Tensor y = m_headNorm(activate(m_parts.decoder.activation, forward.linear(m_headDense, read)));
    forward.output("logits", forward.linear(head(), y));
}

Array BlipModel::readOut(const Array& rows) const {
    const at::AutoGradMode gradients(false);
    const auto through = [](const Linear& layer, const at::Tensor& x) {
        return at::linear(x, layer.weight, layer.bias.defined() ? std::optional(layer.bias) : std::nullopt);
    };
    const at::Tensor x = streamRows(rows, m_parts.decoder.hidden, m_headDense.weight);
    return toArray(through(head(), m_headNorm(activate(m_parts.decoder.activation, through(m_headDense, x)))));
}

void BlipModel::runItem(Forward& forward) const {
    using Tensors = std::vector<at::Tensor>;
    BlipTextPass pass = decoderPass(forward);
    pass.reads = {m_parts.tower.blocks.stage};
    pass.source = forward.kept(pass.reads.front(), {}, [&]() -> Tensors { return {see(forward)}; }).front();
    if (m_question) {
        const auto ask = [&]() -> Tensors { return {read(pass.source, forward)}; };
        pass.source = forward.kept(m_question->spec().stage, pass.reads, ask).front();
        pass.reads.push_back(m_question->spec().stage);
    }
    outputLogits(m_decoder.run(pass, forward), forward);
}

void BlipModel::runNext(const ModelInput&, int, const std::vector<int>& ids, Forward& forward) const {
    begin(forward);
    BlipTextPass pass = decoderPass(forward);
    pass.ids = nextTokens(ids, pass.ids.device());
    outputLogits(m_decoder.run(pass, forward), forward);
}

std::shared_ptr<ModelInput> BlipModel::withAnswer(const ModelInput& given, int item, const std::vector<int>& ids) const {
    const auto* tensors = dynamic_cast<const TensorInput*>(&given);
    if (!tensors) throw Error("the input was not encoded by this model", {}, ErrorCode::Internal);
    auto longer = std::make_shared<TensorInput>(*tensors);
    at::Tensor& own = longer->items.at(static_cast<std::size_t>(item)).at(m_question ? "decoder_input_ids" : "input_ids");
    own = followedBy(own, ids);
    return longer;
}

std::vector<StageCost> BlipModel::costs() const {
    std::vector<StageCost> costs = {costOf(m_parts.tower.blocks, 0)};
    if (m_question) costs.push_back(m_question->cost());
    costs.push_back(m_decoder.cost());
    return costs;
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

// Checks and describes a stack's tokens: tensors `prefix` + "input_ids" and `prefix` + "attention_mask".
StageTokens BlipModel::textTokensOf(const TensorItem& item, const BlipTextSpec& text, const std::string& prefix) const {
    DecoderSpec limits;
    limits.stage = text.stage;
    limits.vocabulary = text.vocabulary;
    limits.hidden = text.hidden;
    limits.positions = text.positions;
    limits.names.positionEmbedding = "learned";
    TensorItem own;
    for (const char* name : {"input_ids", "attention_mask"})
        if (const auto found = item.find(prefix + name); found != item.end()) own[name] = found->second;
    return textTokens(own, limits, &m_parts.prompts->reader());
}

std::shared_ptr<const ModelInput> BlipModel::encode(const UserInput& user) const {
    return user.tensors.empty() ? fromPrompt(user) : fromTensors(user);
}

std::shared_ptr<const ModelInput> BlipModel::fromTensors(const UserInput& user) const {
    TensorItem item = readPromptTensors(user.tensors, accepted());
    for (const char* name : {"pixel_values", "input_ids"})
        if (!item.count(name)) throw Error(fmt::format("--tensors: expected {}, found none", name),
                                           "Add the tensor to the file, or give --image and --prompt.");
    const at::Tensor& pixels = item.at("pixel_values");
    if (pixels.size(0) != 1)
        throw Error(fmt::format("pixel_values: expected one picture, found {}", pixels.size(0)),
                    "Give one picture a file.");
    if (m_question && !item.count("decoder_input_ids"))
        item["decoder_input_ids"] = at::full({1, 1}, m_parts.beginToken, at::kLong);
    auto encoded = std::make_shared<TensorInput>();
    TokenMap map;
    map.stages.push_back(pictureTokens(item, nullptr));
    map.images.push_back({static_cast<int>(pixels.size(3)), static_cast<int>(pixels.size(2)), map.stages[0].gridRows,
                          map.stages[0].gridColumns, {}});
    if (m_question) map.stages.push_back(textTokensOf(item, *m_parts.question, ""));
    map.stages.push_back(textTokensOf(item, m_parts.decoder, m_question ? "decoder_" : ""));
    encoded->allLogits = true;
    encoded->notices = doubtfulTensors(item, {});
    encoded->originals.push_back(user.images.empty() ? Pixels() : user.images.front());
    encoded->seen.emplace_back();
    encoded->transforms.emplace_back();
    encoded->maps.push_back(std::move(map));
    encoded->items.push_back(placed(std::move(item)));
    return encoded;
}

namespace {

// A caption goes on behind the prompt: its first token becomes the decoder's own, the one that ends a text goes.
void asCaptionBegin(Encoding& encoding, int beginToken) {
    if (encoding.ids.size() > 1 && encoding.special.back()) {
        encoding.ids.pop_back();
        encoding.spans.pop_back();
        encoding.special.pop_back();
    }
    encoding.ids.front() = beginToken;
}

at::Tensor idTensor(const std::vector<int>& ids) { return nextTokens(ids, at::kCPU); }

}  // namespace

std::shared_ptr<const ModelInput> BlipModel::fromPrompt(const UserInput& user) const {
    if (user.images.size() != 1)
        throw Error(fmt::format("the model needs one picture, found {}", user.images.size()), "Give one with --image.");
    if (m_question && user.prompt.empty() && user.chat.empty())
        throw Error("the model answers a question, found none", "Give it with --prompt.", ErrorCode::Usage);
    UserInput plain = user;
    plain.promptForm = PromptForm::Raw;  // there is no chat template for it
    const BlipTextSpec& reader = m_question ? *m_parts.question : m_parts.decoder;
    PromptTensors prompt = m_parts.prompts->encode(plain, {reader.vocabulary, reader.positions, -1});
    if (!m_question) asCaptionBegin(prompt.encoding, m_parts.beginToken);
    TensorItem item{{"pixel_values", prompt.item.at("pixel_values")}, {"input_ids", idTensor(prompt.encoding.ids)}};
    auto encoded = std::make_shared<LanguageInput>();
    const VisionTile& tile = prompt.images.front().tiles.front();
    TokenMap map;
    map.stages.push_back(pictureTokens(item, &tile.transform));
    map.images.push_back({prompt.images.front().width, prompt.images.front().height, map.stages[0].gridRows,
                          map.stages[0].gridColumns, tile.transform.unread()});
    textTokensOf(item, reader, "");
    map.stages.push_back(promptTokens(m_parts.prompts->reader(), reader.stage, prompt.text, prompt.encoding));
    if (m_question) {
        item["decoder_input_ids"] = idTensor({m_parts.beginToken});
        map.stages.push_back(textTokensOf(item, m_parts.decoder, "decoder_"));
    }
    encoded->black = m_parts.prompts->black();
    encoded->originals.push_back(user.images.front());
    encoded->seen.push_back(tile.seen);
    encoded->transforms.push_back(tile.transform);
    encoded->text = prompt.text;
    encoded->ids = prompt.encoding.ids;
    encoded->spans = prompt.encoding.spans;
    encoded->mainTensor = "pixel_values";
    encoded->maps.push_back(std::move(map));
    encoded->items.push_back(placed(std::move(item)));
    return encoded;
}

}  // namespace fovea
