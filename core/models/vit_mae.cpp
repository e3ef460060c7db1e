// Masked autoencoder (He et al. 2022): its encoder. Without the input `noise` no patch is masked; with it,
// the share mask_ratio of the patches is dropped and the rest is in ascending order of the noise, as in the
// reference.
#include "fovea/catalog.h"
#include "nn/vision_model.h"
#include "nn/vit_config.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadVitMae(const ModelSource& source, const LoadOptions& options,
                                        const JobContext& job) {
    const ConfigView& config = source.config();
    const std::string prefix = source.basePrefix("vit.", "embeddings.");
    VisionModelParts parts;
    parts.tower = readVitSizes(config, {});
    addVitEmbeddings(parts.tower, prefix);
    parts.tower.maskToken.clear();
    parts.tower.attentionMask = true;
    parts.tower.maskRatio = config.number("mask_ratio", 0.75, {0, 1});
    BlockStackSpec& blocks = parts.tower.blocks;
    blocks.names = vitBlockNames(prefix);
    blocks.queryBias = blocks.keyBias = blocks.valueBias =
        config.boolean("qkv_bias", true) ? Bias::Required : Bias::None;

    StandardHeadSpec head;
    head.hidden = blocks.hidden;
    head.eps = blocks.eps;
    head.finalNorm = prefix + "layernorm";
    head.pooling = Pooling::None;
    parts.head = std::make_unique<StandardHead>(std::move(head));
    if (source.identity().architecture == "ViTMAEForPreTraining") {
        parts.ignored = {"decoder.*"};
        parts.notices.push_back(
            "the decoder of ViTMAEForPreTraining is not run: outputs are those of the encoder");
    }
    return loadVisionModel("vit_mae", std::move(parts), source, options, job);
}

}  // namespace

void add_vit_mae(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {
        "vit_mae", "MAE encoder", "Encoder of the masked autoencoder, unmasked (He et al. 2022).", {}};
    entry.modelTypes = {"vit_mae"};
    entry.architectures = {"ViTMAEModel", "ViTMAEForPreTraining"};
    entry.load = loadVitMae;
    catalog.add(std::move(entry));
}

}  // namespace fovea
