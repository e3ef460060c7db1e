// CLIP (Radford et al. 2021): the vision tower alone, with projection or classifier, or both towers.
#include "fovea/catalog.h"
#include "nn/clip_config.h"
#include "nn/contrastive_model.h"
#include "nn/vision_model.h"

namespace fovea {
namespace {

VisionTransformerSpec visionTower(const ModelSource& source, const std::string& prefix) {
    VisionTransformerSpec tower = clipVisionTower(towerConfig(source, "vision_config"), prefix,
                                                  {768, 12, 12, 3072, 224, 32, 1e-5, "quick_gelu"});
    const std::int64_t hidden = tower.blocks.hidden;
    tower.prefix = {
        {prefix + "embeddings.class_embedding", {hidden}, {{"cls", "[CLS]", TokenKind::Special}}}};
    tower.patches.bias = Bias::None;
    tower.positions.prefix = 1;
    tower.preNorm = prefix + "pre_layrnorm";  // so spelled in every checkpoint
    tower.preNormEps = tower.blocks.eps;
    return tower;
}

std::shared_ptr<const Model> loadBoth(const ModelSource& source, const LoadOptions& options,
                                      const JobContext& job) {
    const ConfigView& config = source.config();
    const std::int64_t size = config.integer("projection_dim", 512, {1, 1 << 16});
    ContrastiveParts parts;
    parts.tower = visionTower(source, "vision_model.");
    StandardHeadSpec head;
    head.hidden = parts.tower.blocks.hidden;
    head.eps = parts.tower.blocks.eps;
    head.pooledNorm = "vision_model.post_layernorm";
    head.projection = "visual_projection";
    head.projectionSize = size;
    parts.head = std::make_unique<StandardHead>(std::move(head));
    const ConfigView text = towerConfig(source, "text_config");
    parts.text = clipTextTower(text, {});
    parts.text.blocks.causal = true;
    parts.text.endToken = text.integer("eos_token_id", 49407, {-1, 1 << 26});
    parts.text.pooling = parts.text.endToken == 2 ? TextPooling::LargestId : TextPooling::FirstEnd;
    parts.text.projection = "text_projection";
    parts.text.projectionSize = size;
    return loadContrastiveModel("clip", std::move(parts), source, options, job);
}

std::shared_ptr<const Model> loadClip(const ModelSource& source, const LoadOptions& options,
                                      const JobContext& job) {
    const std::string& architecture = source.identity().architecture;
    if (architecture == "CLIPModel" || (architecture.empty() && source.identity().modelType == "clip"))
        return loadBoth(source, options, job);
    const ConfigView& config = source.config();
    const std::string prefix = source.basePrefix("vision_model.", "embeddings.");
    VisionModelParts parts;
    parts.tower = visionTower(source, prefix);
    StandardHeadSpec head;
    head.hidden = parts.tower.blocks.hidden;
    head.eps = parts.tower.blocks.eps;
    if (source.classifies("CLIP")) {
        head.pooling = Pooling::PatchMean;
        head.labels = config.labelCount(2);
        head.classifier = "classifier";
        parts.labels = classLabels(config, head.labels);
        parts.ignored = {"vision_model.post_layernorm.*"};
    } else {
        head.pooledNorm = prefix + "post_layernorm";
        if (architecture == "CLIPVisionModelWithProjection") {
            head.projection = "visual_projection";
            head.projectionSize = config.integer("projection_dim", 512, {1, 1 << 16});
        }
    }
    // The text tower lies in the files when they are those of the whole model.
    parts.ignored.insert(parts.ignored.end(), {"text_model.*", "text_projection.*", "logit_scale"});
    parts.head = std::make_unique<StandardHead>(std::move(head));
    return loadVisionModel("clip", std::move(parts), source, options, job);
}

}  // namespace

void add_clip(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"clip", "CLIP", "Image and text towers trained to agree (Radford et al. 2021).", {}};
    entry.modelTypes = {"clip", "clip_vision_model"};
    entry.architectures = {"CLIPModel", "CLIPVisionModel", "CLIPVisionModelWithProjection",
                           "CLIPForImageClassification"};
    entry.load = loadClip;
    catalog.add(std::move(entry));
}

}  // namespace fovea
