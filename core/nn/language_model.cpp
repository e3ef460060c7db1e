#include "nn/language_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/add.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "attention/forward.h"
#include "fovea/error.h"
#include "io/tensor_info.h"
#include "nn/decoder_config.h"
#include "nn/generation_config.h"
#include "nn/vision_model.h"

namespace fovea {
namespace {

constexpr const char* kAnswer = "answer_ids";  // of an answer that is read behind the prompt

const at::Tensor* find(const TensorItem& item, const char* name) {
    const auto found = item.find(name);
    return found == item.end() ? nullptr : &found->second;
}

std::int64_t lengthOf(const TensorItem& item, const DecoderSpec& decoder) {
    const at::Tensor *ids = find(item, "input_ids"), *embeds = find(item, "inputs_embeds");
    if (!ids == !embeds)
        throw Error(fmt::format("--tensors: expected input_ids or inputs_embeds, found {}", ids ? "both" : "neither"),
                    "Save one of the two in the file.");
    if (ids) requireRange("input_ids", ids->to(at::kLong), decoder.vocabulary);
    if (embeds && embeds->size(2) != decoder.hidden)
        throw Error(fmt::format("inputs_embeds: expected {} values a token, found shape {}", decoder.hidden,
                                shapeText(embeds->sizes().vec())),
                    "Embed the tokens with this model.");
    return (ids ? *ids : *embeds).size(1);
}

}  // namespace

StageTokens textTokens(const TensorItem& item, const DecoderSpec& decoder, const PromptReader* reader) {
    const std::int64_t length = lengthOf(item, decoder);
    const bool learned = !decoder.names.positionEmbedding.empty();
    if (learned && length > decoder.positions && !find(item, "position_ids"))
        throw Error(fmt::format("the text: expected at most {} tokens, found {}", decoder.positions, length),
                    "The model has no positions beyond that: shorten the text.");
    for (const char* name : {"attention_mask", "position_ids", "token_type_ids"})
        if (const at::Tensor* found = find(item, name); found && found->size(1) != length)
            throw Error(fmt::format("{}: expected shape [1, {}] like the tokens, found {}", name, length,
                                    shapeText(found->sizes().vec())),
                        "Write all tensors with the same processor call.");
    if (const at::Tensor* positions = find(item, "position_ids"))
        requireRange("position_ids", positions->to(at::kLong), learned ? decoder.positions : std::int64_t{1} << 24);
    if (const at::Tensor* types = find(item, "token_type_ids"))
        requireRange("token_type_ids", types->to(at::kLong), decoder.vocabulary);

    const at::Tensor* ids = find(item, "input_ids");
    const at::Tensor plain = ids ? ids->to(at::kCPU, at::kLong).contiguous() : at::Tensor();
    const at::Tensor* given = find(item, "attention_mask");
    const at::Tensor mask = given ? given->to(at::kCPU, at::kBool).contiguous() : at::Tensor();
    StageTokens tokens;
    tokens.stage = decoder.stage;
    for (std::int64_t i = 0; i < length; ++i) {
        Token token;
        token.index = static_cast<int>(i);
        const bool padding = mask.defined() && !mask.const_data_ptr<bool>()[i];
        const int id = plain.defined() ? static_cast<int>(plain.const_data_ptr<std::int64_t>()[i]) : -1;
        const bool special = reader && id >= 0 && reader->isSpecial(id);
        token.kind = padding ? TokenKind::Padding : special ? TokenKind::Special : TokenKind::Text;
        token.text = id < 0 ? fmt::format("<#{}>", i) : reader ? reader->shown(id) : fmt::format("<{}>", id);
        tokens.tokens.push_back(std::move(token));
    }
    return tokens;
}

DecoderMask textMask(const at::Tensor& attentionMask, const at::Tensor& positionIds) {
    DecoderMask mask;
    if (attentionMask.defined()) {
        const at::Tensor visible = attentionMask[0].to(at::kBool);
        if (!visible.all().item<bool>()) mask.visible = visible;
    } else if (positionIds.defined()) {
        mask.segments = packedSegments(positionIds[0].to(at::kLong));
    }
    return mask;
}

DecoderMask continued(const DecoderMask& mask, std::int64_t length) {
    DecoderMask longer = mask;
    const auto extend = [&](at::Tensor& values, const at::Scalar& filled) {
        if (values.defined() && values.size(0) < length)
            values = at::cat({values, at::full({length - values.size(0)}, filled, values.options())});
    };
    extend(longer.visible, true);
    extend(longer.groups, -1);
    if (longer.segments.defined()) extend(longer.segments, longer.segments[-1].item<std::int64_t>());
    return longer;
}

at::Tensor continuedPositions(const at::Tensor& positions, std::int64_t length) {
    const std::int64_t more = length - positions.size(0);
    if (more <= 0) return positions;
    return at::cat({positions, at::arange(more, positions.options()) + (positions.max() + 1)});
}

at::Tensor followedBy(const at::Tensor& ids, const std::vector<int>& others) {
    return at::cat({ids, nextTokens(others, ids.device()).to(ids.scalar_type())}, 1);
}

at::Tensor nextTokens(const std::vector<int>& ids, at::Device device) {
    const std::vector<std::int64_t> wide(ids.begin(), ids.end());
    return at::tensor(wide, at::kLong).unsqueeze(0).to(device);
}

void outputLogits(const Decoder& decoder, const at::Tensor& hidden, Forward& forward) {
    forward.output("logits", decoder.logits(forward.toReadOut(decoder.spec().stage, hidden), forward));
}

LanguageModel::LanguageModel(LanguageParts parts)
    : m_decoder(std::move(parts.decoder)),
      m_reader(std::move(parts.reader)),
      m_endTokens(std::move(parts.endTokens)),
      m_rules(std::move(parts.rules)),
      m_tokenTypes(parts.tokenTypes),
      m_ignored(std::move(parts.ignored)) {
    for (const std::string& text : parts.notices) notice(text);
}

std::vector<InputTensor> LanguageModel::accepted() const {
    using Values = InputTensor::Values;
    std::vector<InputTensor> inputs{{"input_ids", 2, Values::Integer},
                                    {"attention_mask", 2, Values::Integer},
                                    {"position_ids", 2, Values::Integer},
                                    {"inputs_embeds", 3, Values::Floating}};
    if (m_tokenTypes) inputs.push_back({"token_type_ids", 2, Values::Integer});
    return inputs;
}

void LanguageModel::describe(ModelSpec& spec) {
    m_decoder.describe(spec);
    for (const InputTensor& input : accepted()) spec.inputs.push_back(input.name);
    spec.capabilities.generate = m_decoder.hasHead();
    spec.generation = m_rules;
}

void LanguageModel::runItem(Forward& forward) const {
    const at::Tensor ids = forward.input("input_ids"), embeds = forward.input("inputs_embeds");
    const at::Tensor given = forward.input("position_ids"), types = forward.input("token_type_ids");
    const at::Tensor answer = forward.input(kAnswer);
    const at::Tensor& main = ids.defined() ? ids : embeds;
    const std::int64_t length = main.size(1) + (answer.defined() ? answer.size(1) : 0);
    DecoderPass pass;
    pass.embed = [&] {
        at::Tensor x = ids.defined() ? m_decoder.embedTokens(ids.to(at::kLong), forward) : m_decoder.cast(embeds);
        if (types.defined()) x = at::add(x, m_decoder.embedTokens(types.to(at::kLong), forward));
        return answer.defined() ? at::cat({x, m_decoder.embedTokens(answer, forward)}, 1) : x;
    };
    pass.positions = given.defined() ? continuedPositions(given[0].to(at::kLong), length)
                                     : at::arange(length, main.options().dtype(at::kLong));
    pass.mask = continued(textMask(forward.input("attention_mask"), given), length);
    const at::Tensor hidden = m_decoder.run(pass, forward);
    if (m_decoder.hasHead())
        outputLogits(m_decoder, hidden, forward);
    else
        forward.output("last_hidden_state", hidden);
}

void LanguageModel::runNext(const ModelInput&, int, const std::vector<int>& ids, Forward& forward) const {
    begin(forward);
    const at::Tensor& like = forward.input("input_ids").defined() ? forward.input("input_ids") : forward.input("inputs_embeds");
    const at::Tensor given = forward.input("position_ids");
    DecoderPass pass;
    const at::Tensor next = nextTokens(ids, like.device());
    pass.embed = [&] { return m_decoder.embedTokens(next, forward); };
    // Positions go on where those of the prompt end.
    const std::int64_t ahead = given.defined() ? given.max().item<std::int64_t>() + 1 - like.size(1) : 0;
    pass.positions = at::arange(next.size(1), next.options()) + (forward.past() + ahead);
    pass.mask = textMask(forward.input("attention_mask"), given);
    pass.mask = continued(pass.mask, forward.past() + next.size(1));
    outputLogits(m_decoder, m_decoder.run(pass, forward), forward);
}

std::shared_ptr<ModelInput> LanguageModel::withAnswer(const ModelInput& given, int item, const std::vector<int>& ids) const {
    const auto* tensors = dynamic_cast<const TensorInput*>(&given);
    if (!tensors) throw Error("the input was not encoded by this model", {}, ErrorCode::Internal);
    auto longer = std::make_shared<TensorInput>(*tensors);
    TensorItem& own = longer->items.at(static_cast<std::size_t>(item));
    own[kAnswer] = nextTokens(ids, own.at(longer->mainTensor).device());
    return longer;
}

std::int64_t LanguageModel::longestSequence() const {
    return m_decoder.spec().names.positionEmbedding.empty() ? 0 : m_decoder.spec().positions;
}

std::shared_ptr<const ModelInput> LanguageModel::encode(const UserInput& input) const {
    if (!input.images.empty())
        throw Error("this model sees no pictures, but one was given", "Leave --image out.", ErrorCode::Usage);
    if (input.tensors.empty()) return encodePrompt(input);
    if (!input.prompt.empty() || !input.chat.empty())
        throw Error("expected a prompt or --tensors, found both", "Leave one of them out.", ErrorCode::Usage);
    auto encoded = std::make_shared<TensorInput>();
    encoded->allLogits = true;
    for (const TensorItem& item : readInputTensors(input.tensors, accepted())) {
        TokenMap map;
        map.stages.push_back(textTokens(item, m_decoder.spec(), m_reader.get()));
        encoded->maps.push_back(std::move(map));
        for (std::string& text : doubtfulTensors(item, {}))
            if (std::find(encoded->notices.begin(), encoded->notices.end(), text) == encoded->notices.end())
                encoded->notices.push_back(std::move(text));
        encoded->originals.emplace_back();
        encoded->seen.emplace_back();
        encoded->transforms.emplace_back();
        encoded->mainTensor = item.count("input_ids") ? "input_ids" : "inputs_embeds";
        encoded->items.push_back(placed(item));
    }
    return encoded;
}

std::shared_ptr<const ModelInput> LanguageModel::encodePrompt(const UserInput& input) const {
    if (input.prompt.empty() && input.chat.empty())
        throw Error("the model needs a text, found none",
                    "Give one with --prompt, or token ids as input_ids with --tensors.", ErrorCode::Usage);
    if (!m_reader)
        throw Error("a prompt needs the model's tokenizer, which a lone weight file does not have",
                    "Open the model's folder, or give token ids as input_ids with --tensors.");
    const PromptText prompt = m_reader->promptOf(input, {});
    const Encoding encoding = m_reader->encode(prompt, m_decoder.spec().vocabulary);
    auto encoded = std::make_shared<LanguageInput>();
    encoded->text = prompt.text;
    encoded->ids = encoding.ids;
    encoded->spans = encoding.spans;
    encoded->notices = prompt.notices;
    TensorItem item{{"input_ids", nextTokens(encoding.ids, at::kCPU)}};
    textTokens(item, m_decoder.spec(), nullptr);  // refuses a text beyond learned positions
    const auto length = static_cast<std::int64_t>(encoding.ids.size());
    if (length > m_decoder.spec().positions)
        encoded->notices.push_back(fmt::format("the prompt has {} tokens, the model was made for {}", length,
                                               m_decoder.spec().positions));
    TokenMap map;
    map.stages.push_back(promptTokens(*m_reader, m_decoder.spec().stage, prompt.text, encoding));
    encoded->maps.push_back(std::move(map));
    encoded->originals.emplace_back();
    encoded->seen.emplace_back();
    encoded->transforms.emplace_back();
    encoded->mainTensor = "input_ids";
    encoded->items.push_back(placed(std::move(item)));
    return encoded;
}

std::string LanguageModel::tokenText(int id) const {
    return m_reader ? m_reader->shown(id) : fmt::format("<{}>", id);
}

std::shared_ptr<const Tokenizer> LanguageModel::tokenizer() const {
    return m_reader ? m_reader->sharedTokenizer() : nullptr;
}

std::shared_ptr<const Model> loadLanguageModel(const std::string& modelType, const ModelSource& source,
                                               const LoadOptions& options, const JobContext& job) {
    const bool gpt2 = modelType == "gpt2";
    const std::string& architecture = source.identity().architecture;
    DecoderPaths paths;
    paths.prefix = source.basePrefix(gpt2 ? "transformer." : "model.", gpt2 ? "wte." : "embed_tokens.");
    const bool head = architecture.empty()
                          ? source.weights().contains("lm_head.weight") || !paths.prefix.empty()
                          : architecture.ends_with("ForCausalLM") || architecture.ends_with("LMHeadModel");
    if (!head) paths.head.clear();
    paths.headStored = source.weights().contains("lm_head.weight");
    LanguageParts parts;
    parts.decoder = readDecoder(modelType, source.config(), paths);
    parts.endTokens = endTokensOf(source);
    parts.rules = generationRulesOf(source, parts.decoder.vocabulary);
    if (!source.files().folder.empty() && source.files().format != ModelFormat::LoneWeights)
        parts.reader = std::make_shared<PromptReader>(source.files().folder);
    parts.tokenTypes = gpt2;
    if (gpt2) parts.ignored = {"*.attn.bias", "*.attn.masked_bias"};
    if (!head || parts.decoder.tied) parts.ignored.push_back("lm_head.weight");
    if (!head && !architecture.empty() && !architecture.ends_with("Model"))
        parts.notices.push_back(headNotice(architecture, "the bare model"));
    auto model = std::make_shared<LanguageModel>(std::move(parts));
    model->load(modelType, source, options, job);
    return model;
}

}  // namespace fovea
