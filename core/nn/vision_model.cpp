#include "nn/vision_model.h"

#include "fovea/error.h"

namespace fovea {

ImageProcessor imageProcessorFor(const ModelSource& source, std::int64_t imageHeight) {
    const std::string& type = source.identity().modelType;
    if (source.files().format == ModelFormat::LoneWeights)
        return ImageProcessor::forFamily(type, static_cast<int>(imageHeight));
    return ImageProcessor::fromFolder(source.files().folder, type);
}

StageCost costOf(const BlockStackSpec& blocks, std::int64_t biases) {
    const std::int64_t parts = blocks.mlp == MlpKind::Plain ? 1 : 2;
    return {blocks.stage,
            blocks.hidden,
            static_cast<std::int64_t>(blocks.heads) * blocks.headDim,
            blocks.heads,
            parts * blocks.intermediate,
            blocks.layers,
            biases};
}

std::vector<std::string> classLabels(const ConfigView& config, std::int64_t count) {
    std::vector<std::string> labels = config.labels();
    if (static_cast<std::int64_t>(labels.size()) == count) return labels;
    labels.clear();
    for (std::int64_t i = 0; i < count; ++i) labels.push_back("LABEL_" + std::to_string(i));
    return labels;
}

std::string headNotice(const std::string& architecture, const std::string& runAs) {
    return "the head of " + architecture + " is not run: outputs are those of " + runAs;
}

VisionModel::VisionModel(VisionModelParts parts, ImageProcessor processor)
    : m_tower(parts.tower),
      m_head(std::move(parts.head)),
      m_input(parts.tower, std::move(processor)),
      m_ignored(std::move(parts.ignored)),
      m_labels(std::move(parts.labels)) {
    for (const std::string& text : parts.notices) notice(text);
    for (const std::string& text : m_input.processor().notices()) notice(text);
}

void VisionModel::describe(ModelSpec& spec) {
    m_tower.describe(spec);
    m_head->describe(spec);
    spec.labels = m_labels;
    for (const InputTensor& input : m_input.accepted()) spec.inputs.push_back(input.name);
}

void VisionModel::visit(WeightVisitor& weights) {
    m_tower.visit(weights);
    m_head->visit(weights);
}

void VisionModel::runItem(Forward& forward) const {
    m_head->run(m_tower.run(forward), forward);
}

std::vector<StageCost> VisionModel::costs() const {
    const VisionTransformerSpec& spec = m_tower.spec();
    const bool shared = !spec.sharedRelativeBias.empty();
    const std::int64_t biases = !spec.blocks.names.relativeBias.empty() ? spec.blocks.layers : shared ? 1 : 0;
    return {costOf(spec.blocks, biases)};
}

std::shared_ptr<const ModelInput> VisionModel::encode(const UserInput& input) const {
    if (!input.prompt.empty())
        throw Error("this model reads no text, but a prompt was given", "Leave the prompt empty.",
                    ErrorCode::Usage);
    auto encoded = std::make_shared<TensorInput>();
    encoded->black = m_input.black();
    const auto add = [&](EncodedImage image, const Pixels& original) {
        TokenMap map;
        map.stages.push_back(std::move(image.tokens));
        map.images.push_back(std::move(image.geometry));
        encoded->maps.push_back(std::move(map));
        encoded->originals.push_back(original);
        encoded->seen.push_back(std::move(image.seen));
        encoded->transforms.push_back(image.transform);
        encoded->items.push_back(placed(std::move(image.tensors)));
    };
    if (!input.tensors.empty()) {
        const auto items = readInputTensors(input.tensors, m_input.accepted());
        for (std::size_t i = 0; i < items.size(); ++i) {
            const Pixels* picture = i < input.images.size() ? &input.images[i] : nullptr;
            add(m_input.fromTensors(items[i], picture, m_tower), picture ? *picture : Pixels());
        }
    } else {
        if (input.images.empty())
            throw Error("the model needs a picture, found none",
                        "Give one with --image, or its tensors with --tensors.", ErrorCode::Usage);
        for (const Pixels& picture : input.images) {
            EncodedImage image = m_input.fromPicture(picture);
            if (!m_tower.spec().patches.patchesGiven) {
                const at::Tensor& pixels = image.tensors.at("pixel_values");
                m_tower.requireSize(pixels.size(2), pixels.size(3));
            }
            add(std::move(image), picture);
        }
    }
    return encoded;
}

std::shared_ptr<const Model> loadVisionModel(const std::string& family, VisionModelParts parts,
                                             const ModelSource& source, const LoadOptions& options,
                                             const JobContext& job) {
    ImageProcessor processor = imageProcessorFor(source, parts.tower.imageHeight);
    auto model = std::make_shared<VisionModel>(std::move(parts), std::move(processor));
    model->load(family, source, options, job);
    return model;
}

}  // namespace fovea
