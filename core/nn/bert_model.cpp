#include "nn/bert_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "attention/forward.h"
#include "fovea/error.h"
#include "nn/language_model.h"
#include "nn/vision_model.h"
#include "nn/vision_transformer.h"

namespace fovea {
namespace {

BertHead headOf(const std::string& architecture) {
    if (architecture == "BertForMaskedLM" || architecture == "BertForPreTraining") return BertHead::Words;
    if (architecture == "BertForSequenceClassification") return BertHead::Classification;
    if (architecture == "BertForTokenClassification") return BertHead::Tokens;
    return BertHead::None;
}

BertSpec readBert(const ModelSource& source) {
    const ConfigView& config = source.config();
    BertSpec spec;
    spec.prefix = source.basePrefix("bert.", "embeddings.");
    spec.hidden = config.integer("hidden_size", 768, {1, 1 << 16});
    spec.layers = static_cast<int>(config.integer("num_hidden_layers", 12, {1, 1024}));
    spec.heads = static_cast<int>(config.integer("num_attention_heads", 12, {1, 1024}));
    if (spec.hidden % spec.heads != 0)
        config.fail("num_attention_heads", "a divisor of hidden_size " + std::to_string(spec.hidden),
                    std::to_string(spec.heads));
    spec.headDim = static_cast<int>(spec.hidden / spec.heads);
    spec.intermediate = config.integer("intermediate_size", 3072, {1, 1 << 20});
    spec.vocabulary = config.integer("vocab_size", 30522, {1, 1 << 26});
    spec.positions = config.integer("max_position_embeddings", 512, {1, 1 << 24});
    spec.types = config.integer("type_vocab_size", 2, {1, 1 << 16});
    spec.eps = config.number("layer_norm_eps", 1e-12, {0, 1});
    spec.activation = readActivation(config, "hidden_act", "gelu");
    const std::string positions = config.text("position_embedding_type", "absolute");
    if (positions != "absolute") config.fail("position_embedding_type", "\"absolute\"", "\"" + positions.substr(0, 60) + "\"");
    if (config.boolean("is_decoder", false)) config.fail("is_decoder", "false", "true");
    return spec;
}

}  // namespace

BertModel::BertModel(BertParts parts) : m_parts(std::move(parts)), m_encoder(m_parts.encoder) {
    for (const std::string& text : m_parts.notices) notice(text);
}

std::vector<InputTensor> BertModel::accepted() const {
    using Values = InputTensor::Values;
    return {{"input_ids", 2, Values::Integer},
            {"attention_mask", 2, Values::Integer},
            {"token_type_ids", 2, Values::Integer},
            {"position_ids", 2, Values::Integer},
            {"inputs_embeds", 3, Values::Floating}};
}

void BertModel::describe(ModelSpec& spec) {
    m_encoder.describe(spec);
    spec.labels = m_parts.labels;
    for (const InputTensor& input : accepted()) spec.inputs.push_back(input.name);
}

void BertModel::visit(WeightVisitor& weights) {
    const BertSpec& spec = m_encoder.spec();
    m_encoder.visit(weights);
    if (m_parts.pooler) weights.linear(m_pooler, spec.prefix + "pooler.dense", spec.hidden, spec.hidden);
    if (m_parts.head == BertHead::Words) {
        const std::string head = "cls.predictions.";
        weights.linear(m_transform, head + "transform.dense", spec.hidden, spec.hidden);
        weights.norm(m_transformNorm, head + "transform.LayerNorm", spec.hidden);
        m_transformNorm.eps = spec.eps;
        if (m_parts.tied)
            m_words.weight = m_encoder.wordEmbeddings();
        else
            weights.tensor(m_words.weight, head + "decoder.weight", {spec.vocabulary, spec.hidden});
        weights.tensor(m_words.bias, head + "bias", {spec.vocabulary});
        m_words.name = head + "decoder";
        weights.matrix({m_words.name, {{m_words, 0}}});
    } else if (m_parts.head != BertHead::None) {
        weights.linear(m_classifier, "classifier", static_cast<std::int64_t>(m_parts.labels.size()), spec.hidden);
    }
}

void BertModel::amend(WeightPlan& plan) const {
    // Files of the first release spell scale and shift of a norm gamma and beta.
    for (WeightSpec& weight : plan.specs)
        for (const auto& [now, then] : {std::pair{"LayerNorm.weight", "gamma"}, std::pair{"LayerNorm.bias", "beta"}})
            if (weight.name.ends_with(now))
                weight.alternatives.push_back({weight.name.substr(0, weight.name.rfind('.') + 1) + then, 0, 1, {}});
}

at::Tensor BertModel::pooled(const at::Tensor& hidden, Forward& forward) const {
    return at::tanh(forward.linear(m_pooler, tokenOf(hidden, forward.keptTokens("text"), 0)));
}

void BertModel::runItem(Forward& forward) const {
    const at::Tensor hidden = m_encoder.run(forward);
    switch (m_parts.head) {
        case BertHead::None:
            forward.output("last_hidden_state", hidden);
            if (m_parts.pooler) forward.output("pooler_output", pooled(hidden, forward));
            break;
        case BertHead::Words: {
            const at::Tensor inner = activate(m_encoder.spec().activation, forward.linear(m_transform, hidden));
            forward.output("logits", forward.linear(m_words, m_transformNorm(inner)));
            break;
        }
        case BertHead::Classification:
            forward.output("logits", forward.linear(m_classifier, pooled(hidden, forward)));
            break;
        case BertHead::Tokens:
            forward.output("logits", forward.linear(m_classifier, hidden));
            break;
    }
    at::Tensor mask = forward.input("attention_mask");
    const at::Tensor kept = forward.keptTokens("text");
    if (mask.defined() && kept.defined()) mask = mask.index_select(1, kept);
    if (const at::Tensor sentence = m_parts.sentence(hidden, mask); sentence.defined())
        forward.output("sentence_embedding", sentence);
}

StageTokens BertModel::tokensOf(const TensorItem& item) const {
    const BertSpec& spec = m_encoder.spec();
    DecoderSpec limits;
    limits.vocabulary = spec.vocabulary;
    limits.hidden = spec.hidden;
    limits.positions = spec.positions;
    limits.names.positionEmbedding = "learned";
    if (const auto types = item.find("token_type_ids"); types != item.end())
        if (const auto most = types->second.max().item<std::int64_t>(); most >= spec.types)
            throw Error(fmt::format("token_type_ids: expected values from 0 to {}, found {}", spec.types - 1, most),
                        "Correct the tensor, or leave it out.");
    return textTokens(item, limits, m_parts.reader.get());
}

std::shared_ptr<const ModelInput> BertModel::encode(const UserInput& input) const {
    if (!input.images.empty())
        throw Error("this model sees no pictures, but one was given", "Leave --image out.", ErrorCode::Usage);
    if (!input.chat.empty())
        throw Error("this model holds no conversations", "Give a text with --prompt.");
    auto encoded = std::make_shared<LanguageInput>();
    std::vector<TensorItem> items;
    std::vector<StageTokens> tokens;
    if (input.tensors.empty()) {
        if (input.prompt.empty() || !m_parts.reader)
            throw Error("the model needs a text, found none",
                        "Give one with --prompt, or token ids as input_ids with --tensors.", ErrorCode::Usage);
        const PromptText prompt{input.prompt, AddSpecial::Yes, {}};
        const Encoding encoding = m_parts.reader->encode(prompt, m_encoder.spec().vocabulary);
        encoded->text = prompt.text;
        encoded->ids = encoding.ids;
        encoded->spans = encoding.spans;
        items.push_back({{"input_ids", nextTokens(encoding.ids, at::kCPU)}});
        tokensOf(items.back());  // refuses a text beyond the positions
        tokens.push_back(promptTokens(*m_parts.reader, "text", prompt.text, encoding));
    } else {
        items = readInputTensors(input.tensors, accepted());
        for (const TensorItem& item : items) tokens.push_back(tokensOf(item));
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
        TokenMap map;
        map.stages.push_back(std::move(tokens[i]));
        encoded->maps.push_back(std::move(map));
        encoded->originals.emplace_back();
        encoded->seen.emplace_back();
        encoded->transforms.emplace_back();
        encoded->mainTensor = items[i].count("input_ids") ? "input_ids" : "inputs_embeds";
        encoded->items.push_back(placed(std::move(items[i])));
    }
    return encoded;
}

std::string BertModel::tokenText(int id) const {
    return m_parts.reader ? m_parts.reader->shown(id) : fmt::format("<{}>", id);
}

std::shared_ptr<const Tokenizer> BertModel::tokenizer() const {
    return m_parts.reader ? m_parts.reader->sharedTokenizer() : nullptr;
}

std::shared_ptr<const Model> loadBert(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    const std::string& architecture = source.identity().architecture;
    BertParts parts;
    parts.encoder = readBert(source);
    parts.head = headOf(architecture);
    const std::string& prefix = parts.encoder.prefix;
    const bool stored = source.hasPrefix(prefix + "pooler.");
    parts.pooler = parts.head == BertHead::Classification || (parts.head == BertHead::None && stored);
    const bool separate = source.weights().contains("cls.predictions.decoder.weight");
    parts.tied = source.config().boolean("tie_word_embeddings", true) || !separate;
    if (parts.head == BertHead::Classification || parts.head == BertHead::Tokens)
        parts.labels = classLabels(source.config(), source.config().labelCount(2));
    parts.ignored = {"cls.predictions.decoder.*", "cls.seq_relationship.*"};
    if (!parts.pooler) parts.ignored.push_back(prefix + "pooler.*");
    if (parts.head == BertHead::None) parts.ignored.push_back("cls.*");
    if (parts.head == BertHead::None && !architecture.empty() && architecture != "BertModel")
        parts.notices.push_back(headNotice(architecture, "BertModel"));
    if (!source.files().folder.empty() && source.files().format != ModelFormat::LoneWeights) {
        parts.reader = std::make_shared<PromptReader>(source.files().folder);
        parts.sentence = SentencePooling::fromFolder(source.files().folder);
    }
    auto model = std::make_shared<BertModel>(std::move(parts));
    model->load("bert", source, options, job);
    return model;
}

}  // namespace fovea
