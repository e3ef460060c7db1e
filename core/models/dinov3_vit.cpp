// DINOv3 (Simeoni et al. 2025): axial rotary positions on the patches, register tokens, optional gated
// feed-forward part.
#include "fovea/catalog.h"
#include "nn/vision_model.h"
#include "nn/vit_config.h"

namespace fovea {
namespace {

Bias biasFrom(const ConfigView& config, const char* key, bool fallback) {
    return config.boolean(key, fallback) ? Bias::Required : Bias::None;
}

BlockNames blockNames(const std::string& layer, bool gated) {
    BlockNames names;
    names.norm1 = layer + "norm1";
    names.query = layer + "attention.q_proj";
    names.key = layer + "attention.k_proj";
    names.value = layer + "attention.v_proj";
    names.output = layer + "attention.o_proj";
    names.scale1 = layer + "layer_scale1.lambda1";
    names.norm2 = layer + "norm2";
    names.mlpIn = layer + "mlp.up_proj";
    if (gated) names.mlpGate = layer + "mlp.gate_proj";
    names.mlpOut = layer + "mlp.down_proj";
    names.scale2 = layer + "layer_scale2.lambda1";
    names.module = layer + "attention";
    return names;
}

std::shared_ptr<const Model> loadDinov3(const ModelSource& source, const LoadOptions& options,
                                        const JobContext& job) {
    const ConfigView& config = source.config();
    VisionModelParts parts;
    VisionTransformerSpec& tower = parts.tower;
    tower = readVitSizes(config, {384, 12, 6, 1536, 224, 16, 1e-5, "gelu"});
    BlockStackSpec& blocks = tower.blocks;
    if (blocks.headDim % 4 != 0)
        config.fail("num_attention_heads", "heads of a multiple of 4 channels, for positions in two axes",
                    std::to_string(blocks.headDim));
    tower.prefix = {classToken("embeddings.cls_token", blocks.hidden)};
    if (const std::int64_t registers = config.integer("num_register_tokens", 0, {0, 4096}); registers > 0)
        tower.prefix.push_back(registerTokens("embeddings.register_tokens", registers, blocks.hidden));
    tower.patches.path = "embeddings.patch_embeddings";
    tower.maskToken = "embeddings.mask_token";
    tower.maskShape = {1, 1, blocks.hidden};
    tower.rotary = RotaryKind::AxialPatches;
    tower.rotaryTheta = config.number("rope_theta", 100, {1e-3, 1e9});
    const bool gated = config.boolean("use_gated_mlp", false);
    // Files have "layer.{i}.", state dicts of the class "model.layer.{i}.".
    blocks.names = blockNames(source.hasPrefix("model.layer.") ? "model.layer.{i}." : "layer.{i}.", gated);
    blocks.mlp = gated ? MlpKind::Gated : MlpKind::Plain;
    blocks.queryBias = biasFrom(config, "query_bias", true);
    blocks.keyBias = biasFrom(config, "key_bias", false);
    blocks.valueBias = biasFrom(config, "value_bias", true);
    blocks.outputBias = biasFrom(config, "proj_bias", true);
    blocks.mlpBias = biasFrom(config, "mlp_bias", true);

    StandardHeadSpec head;
    head.hidden = blocks.hidden;
    head.eps = blocks.eps;
    head.finalNorm = "norm";
    parts.head = std::make_unique<StandardHead>(std::move(head));
    const std::string& architecture = source.identity().architecture;
    if (!architecture.empty() && architecture != "DINOv3ViTModel")
        parts.notices.push_back(headNotice(architecture, "DINOv3ViTModel"));
    parts.ignored = {"embeddings.register_tokens"};
    return loadVisionModel("dinov3_vit", std::move(parts), source, options, job);
}

}  // namespace

void add_dinov3_vit(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"dinov3_vit",
                  "DINOv3",
                  "Self-supervised vision transformer with rotary positions (Simeoni et al. 2025).",
                  {}};
    entry.modelTypes = {"dinov3_vit"};
    entry.architectures = {"DINOv3ViTModel", "DINOv3ViTBackbone"};
    entry.load = loadDinov3;
    catalog.add(std::move(entry));
}

}  // namespace fovea
