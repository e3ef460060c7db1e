#include "nn/siglip_parts.h"

#include <cmath>
#include <filesystem>

#include "nn/attention_pooling.h"
#include "nn/clip_config.h"
#include "nn/contrastive_model.h"

namespace fovea {
namespace {

VisionTransformerSpec visionTower(const SiglipForm& form, const ConfigView& config,
                                  const std::string& prefix) {
    VitDefaults defaults{768, 12, 12, 3072, 224, 16, 1e-6, "gelu_pytorch_tanh"};
    VisionTransformerSpec tower = clipVisionTower(config, prefix, defaults);
    if (!form.naflex) return tower;
    const std::int64_t patches = config.integer("num_patches", 256, {1, 1 << 20});
    const auto side = static_cast<std::int64_t>(std::sqrt(static_cast<double>(patches)));
    if (side * side != patches) config.fail("num_patches", "a square number", std::to_string(patches));
    tower.imageHeight = side * tower.patches.height;
    tower.imageWidth = side * tower.patches.width;
    tower.positions.grid = tower.grid();
    tower.positions.resize = PositionResize::BilinearAntialias;
    tower.patches.patchesGiven = true;
    return tower;
}

AttentionPoolingSpec poolingOf(const ConfigView& config, const VisionTransformerSpec& tower,
                               const std::string& prefix) {
    const BlockStackSpec& blocks = tower.blocks;
    AttentionPoolingSpec pooling;
    pooling.layers = blocks.layers;
    pooling.heads = blocks.heads;
    pooling.hidden = blocks.hidden;
    pooling.intermediate = blocks.intermediate;
    pooling.eps = blocks.eps;
    pooling.activation = blocks.activation;
    pooling.finalNorm = prefix + "post_layernorm";
    if (config.boolean("vision_use_head", true)) pooling.path = prefix + "head.";
    return pooling;
}

std::shared_ptr<const Model> loadBoth(const SiglipForm& form, const ModelSource& source,
                                      const LoadOptions& options, const JobContext& job) {
    const ConfigView vision = towerConfig(source, "vision_config");
    const ConfigView text = towerConfig(source, "text_config");
    if (!vision.boolean("vision_use_head", true))
        vision.fail("vision_use_head", "true, for a model that compares image and text", "false");
    ContrastiveParts parts;
    parts.tower = visionTower(form, vision, "vision_model.");
    parts.head = std::make_unique<AttentionPoolingHead>(poolingOf(vision, parts.tower, "vision_model."));
    parts.text = clipTextTower(text, {768, 12, 12, 3072, 32000, 64, 1e-6, "gelu_pytorch_tanh"});
    parts.text.pooling = TextPooling::Last;
    parts.text.projection = "text_model.head";
    parts.text.projectionBias = Bias::Required;
    parts.text.projectionSize = text.integer("projection_size", parts.text.blocks.hidden, {1, 1 << 16});
    parts.logitBias = true;
    parts.prompt.padded = parts.prompt.lowered = true;
    parts.prompt.bare = !form.naflex;
    const std::filesystem::path tokenizer = source.files().folder / "tokenizer_config.json";
    std::error_code error;
    if (!source.files().folder.empty() && std::filesystem::is_regular_file(tokenizer, error))
        parts.prompt.padLeft = ConfigView::read(tokenizer).text("padding_side", "right") == "left";
    parts.prompt.padToken = static_cast<int>(text.integer("pad_token_id", form.naflex ? 0 : 1, {0, 1 << 26}));
    return loadContrastiveModel(form.family, std::move(parts), source, options, job);
}

}  // namespace

std::shared_ptr<const Model> loadSiglip(const SiglipForm& form, const ModelSource& source,
                                        const LoadOptions& options, const JobContext& job) {
    const std::string& architecture = source.identity().architecture;
    if (architecture == form.architecture + "Model" ||
        (architecture.empty() && source.identity().modelType == form.family))
        return loadBoth(form, source, options, job);
    const ConfigView& config = source.config();
    const ConfigView vision = towerConfig(source, "vision_config");
    const std::string prefix = source.basePrefix("vision_model.", "embeddings.");
    VisionModelParts parts;
    parts.tower = visionTower(form, vision, prefix);
    parts.ignored = {"text_model.*", "logit_scale", "logit_bias"};
    if (source.classifies(form.architecture)) {
        StandardHeadSpec head;
        head.hidden = parts.tower.blocks.hidden;
        head.eps = parts.tower.blocks.eps;
        head.finalNorm = prefix + "post_layernorm";
        head.pooling = Pooling::Mean;
        head.labels = config.labelCount(2);
        head.classifier = "classifier";
        parts.labels = classLabels(config, head.labels);
        parts.ignored.push_back(prefix + "head.*");
        parts.head = std::make_unique<StandardHead>(std::move(head));
    } else {
        parts.head = std::make_unique<AttentionPoolingHead>(poolingOf(vision, parts.tower, prefix));
    }
    return loadVisionModel(form.family, std::move(parts), source, options, job);
}

}  // namespace fovea
