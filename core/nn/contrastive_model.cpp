#include "nn/contrastive_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/matmul.h>

#include "fovea/error.h"
#include "nn/language_model.h"
#include "nn/vision_model.h"

namespace fovea {
namespace {

at::Tensor unit(const at::Tensor& x) {
    return x / at::linalg_vector_norm(x, 2, at::IntArrayRef{-1}, true);
}

}  // namespace

ContrastiveModel::ContrastiveModel(ContrastiveParts parts, ImageProcessor processor)
    : m_tower(parts.tower),
      m_head(std::move(parts.head)),
      m_text(std::move(parts.text)),
      m_input(parts.tower, std::move(processor)),
      m_prompt(parts.prompt),
      m_reader(std::move(parts.reader)),
      m_hasLogitBias(parts.logitBias),
      m_ignored(std::move(parts.ignored)) {
    for (const std::string& text : m_input.processor().notices()) notice(text);
}

std::vector<InputTensor> ContrastiveModel::accepted() const {
    std::vector<InputTensor> inputs = m_input.accepted();
    for (InputTensor& input : m_text.accepted()) inputs.push_back(std::move(input));
    return inputs;
}

void ContrastiveModel::describe(ModelSpec& spec) {
    m_tower.describe(spec);
    m_head->describe(spec);
    m_text.describe(spec);
    for (const InputTensor& input : accepted()) spec.inputs.push_back(input.name);
}

void ContrastiveModel::visit(WeightVisitor& weights) {
    m_tower.visit(weights);
    m_head->visit(weights);
    m_text.visit(weights);
    // A scalar in CLIP's files, one element in SigLIP's.
    const std::vector<std::int64_t> shape =
        m_hasLogitBias ? std::vector<std::int64_t>{1} : std::vector<std::int64_t>{};
    weights.tensor(m_logitScale, "logit_scale", shape);
    if (m_hasLogitBias) weights.tensor(m_logitBias, "logit_bias", shape);
}

void ContrastiveModel::runItem(Forward& forward) const {
    at::Tensor image;
    TextTransformer::Result text;
    if (forward.input("pixel_values").defined()) {
        const at::Tensor embed = m_head->embed(m_tower.run(forward), forward);
        image = unit(embed);
        forward.output("image_embeds", image);
        if (!forward.input("input_ids").defined()) forward.output("pooler_output", embed);
    }
    if (forward.input("input_ids").defined()) {
        text = m_text.run(forward);
        const at::Tensor embed = unit(text.embed);
        forward.output("text_embeds", embed);
        if (image.defined()) {
            at::Tensor logits = at::matmul(embed, image.t()) * m_logitScale.exp();
            if (m_hasLogitBias) logits = logits + m_logitBias;
            forward.output("logits_per_text", logits);
            forward.output("logits_per_image", logits.t());
        } else {
            forward.output("pooler_output", text.embed);
            forward.output("last_hidden_state", text.hidden);
        }
    }
}

std::vector<StageCost> ContrastiveModel::costs() const {
    return {costOf(m_tower.spec().blocks, 0), costOf(m_text.spec().blocks, 0)};
}

std::shared_ptr<const ModelInput> ContrastiveModel::encode(const UserInput& input) const {
    if (!input.chat.empty()) throw Error("this model holds no conversations", "Give a text with --prompt.");
    if (!input.prompt.empty() && !input.tensors.empty())
        throw Error("expected a prompt or --tensors, found both", "Leave one of them out.", ErrorCode::Usage);
    if (!input.prompt.empty() && !m_reader)
        throw Error("a prompt needs the model's tokenizer, which a lone weight file does not have",
                    "Open the model's folder, or give the token ids as input_ids with --tensors.");
    auto encoded = std::make_shared<TensorInput>();
    encoded->black = m_input.black();
    const auto addImage = [&](EncodedImage image, const Pixels& original, TokenMap& map, TensorItem& item) {
        map.stages.push_back(std::move(image.tokens));
        map.images.push_back(std::move(image.geometry));
        encoded->originals.push_back(original);
        encoded->seen.push_back(std::move(image.seen));
        encoded->transforms.push_back(image.transform);
        for (auto& [name, tensor] : image.tensors) item[name] = std::move(tensor);
    };
    const auto addItem = [&](TokenMap map, TensorItem item) {
        encoded->maps.push_back(std::move(map));
        encoded->items.push_back(placed(std::move(item)));
    };
    const auto addText = [&](const TowerPrompt& text, TokenMap& map, TensorItem& item) {
        map.stages.push_back(text.tokens);
        item["input_ids"] = nextTokens(text.ids, at::kCPU);
    };
    const auto withoutPicture = [&] {
        encoded->originals.emplace_back();
        encoded->seen.emplace_back();
        encoded->transforms.emplace_back();
        encoded->mainTensor = "input_ids";
    };
    if (input.tensors.empty()) {
        if (input.images.empty() && input.prompt.empty())
            throw Error("the model needs a picture or a text, found neither",
                        "Give --image, --prompt or both, or tensors with --tensors.", ErrorCode::Usage);
        std::optional<TowerPrompt> text;
        if (!input.prompt.empty()) text = towerPrompt(*m_reader, input.prompt, m_prompt);
        if (text) encoded->notices = text->notices;
        if (input.images.empty()) {
            TokenMap map;
            TensorItem item;
            withoutPicture();
            addText(*text, map, item);
            addItem(std::move(map), std::move(item));
        }
        for (const Pixels& picture : input.images) {
            TokenMap map;
            TensorItem item;
            EncodedImage image = m_input.fromPicture(picture);
            if (!m_tower.spec().patches.patchesGiven) {
                const at::Tensor& pixels = image.tensors.at("pixel_values");
                m_tower.requireSize(pixels.size(2), pixels.size(3));
            }
            addImage(std::move(image), picture, map, item);
            if (text) addText(*text, map, item);
            addItem(std::move(map), std::move(item));
        }
        return encoded;
    }
    const auto items = readInputTensors(input.tensors, accepted());
    for (std::size_t i = 0; i < items.size(); ++i) {
        TokenMap map;
        TensorItem item = items[i];
        const bool hasImage = item.count("pixel_values") != 0;
        const bool hasText = item.count("input_ids") != 0;
        if (!hasImage && !hasText)
            throw Error("--tensors: the model needs pixel_values, input_ids or both, found neither",
                        "Add one of them to the file, or give --image and --prompt.");
        if (!hasText)
            for (const char* name : {"attention_mask", "position_ids"})
                if (item.count(name) != 0)
                    throw Error(std::string(name) + ": expected beside input_ids, found alone",
                                "Add input_ids to the file, or leave the tensor out.");
        if (hasImage) {
            const Pixels* picture = i < input.images.size() ? &input.images[i] : nullptr;
            addImage(m_input.fromTensors(item, picture, m_tower), picture ? *picture : Pixels(), map, item);
        } else {
            withoutPicture();
        }
        if (hasText) map.stages.push_back(m_text.tokensOf(item));
        addItem(std::move(map), std::move(item));
    }
    return encoded;
}

std::string ContrastiveModel::tokenText(int id) const {
    return m_reader ? m_reader->shown(id) : Model::tokenText(id);
}

std::shared_ptr<const Tokenizer> ContrastiveModel::tokenizer() const {
    return m_reader ? m_reader->sharedTokenizer() : nullptr;
}

std::shared_ptr<const Model> loadContrastiveModel(const std::string& family, ContrastiveParts parts,
                                                  const ModelSource& source, const LoadOptions& options,
                                                  const JobContext& job) {
    ImageProcessor processor = imageProcessorFor(source, parts.tower.imageHeight);
    parts.prompt.length = parts.text.positions;
    parts.prompt.vocabulary = parts.text.vocabulary;
    if (!source.files().folder.empty() && source.files().format != ModelFormat::LoneWeights)
        parts.reader = std::make_shared<PromptReader>(source.files().folder);
    auto model = std::make_shared<ContrastiveModel>(std::move(parts), std::move(processor));
    model->load(family, source, options, job);
    return model;
}

}  // namespace fovea
