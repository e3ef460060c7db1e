// Vision transformer (Dosovitskiy et al. 2021) in transformers' files, DINO v1 (Caron et al. 2021) among
// them; timm's exports and lone weight files have their own layout (nn/timm_vit).
#include "fovea/catalog.h"
#include "nn/timm_vit.h"
#include "nn/vision_model.h"
#include "nn/vit_config.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadVit(const ModelSource& source, const LoadOptions& options,
                                     const JobContext& job) {
    if (hasTimmLayout(source)) return loadVisionModel("vit", timmParts(source), source, options, job);
    const ConfigView& config = source.config();
    const std::string prefix = source.basePrefix("vit.", "embeddings.");
    VisionModelParts parts;
    parts.tower = readVitSizes(config, {});
    addVitEmbeddings(parts.tower, prefix);
    parts.tower.attentionMask = true;
    BlockStackSpec& blocks = parts.tower.blocks;
    blocks.names = vitBlockNames(prefix);
    blocks.queryBias = blocks.keyBias = blocks.valueBias =
        config.boolean("qkv_bias", true) ? Bias::Required : Bias::None;

    StandardHeadSpec head;
    head.hidden = blocks.hidden;
    head.eps = blocks.eps;
    head.finalNorm = prefix + "layernorm";
    const std::string& architecture = source.identity().architecture;
    if (source.classifies("ViT")) {
        head.labels = config.labelCount(2);
        head.classifier = head.labels > 0 ? "classifier" : "";
        parts.labels = classLabels(config, head.labels);
        parts.ignored = {prefix + "pooler.*"};
    } else {
        head.dense = prefix + "pooler.dense";
        head.denseSize = config.integer("pooler_output_size", blocks.hidden, {1, 1 << 16});
        head.denseActivation = readActivation(config, "pooler_act", "tanh");
        if (!architecture.empty() && architecture != "ViTModel")
            parts.notices.push_back(headNotice(architecture, "ViTModel"));
    }
    parts.head = std::make_unique<StandardHead>(std::move(head));
    return loadVisionModel("vit", std::move(parts), source, options, job);
}

}  // namespace

void add_vit(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {
        "vit",
        "Vision Transformer",
        "ViT, DINO v1, and timm's vision transformers (Dosovitskiy et al. 2021; Caron et al. 2021).",
        {}};
    entry.modelTypes = {"vit", "timm"};
    entry.architectures = {"ViTModel", "ViTForImageClassification", "ViTForMaskedImageModeling"};
    entry.load = loadVit;
    catalog.add(std::move(entry));
}

}  // namespace fovea
