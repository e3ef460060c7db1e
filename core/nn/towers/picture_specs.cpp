#include <cmath>

#include "nn/clip_config.h"
#include "nn/towers/tower_specs.h"
#include "nn/vit_config.h"

namespace fovea {
namespace {

ProjectorSpec twoMatrices(const ConfigView& config, const std::string& prefix, std::int64_t input,
                          std::int64_t textHidden) {
    ProjectorSpec projector;
    projector.input = input;
    projector.inner = projector.output = textHidden;
    projector.first = prefix + "linear_1";
    projector.second = prefix + "linear_2";
    projector.activation = readActivation(config, "projector_hidden_act", "gelu");
    return projector;
}

// "default" leaves the class token out, "full" keeps what there is.
bool dropsPrefix(const ConfigView& config, const VisionTransformerSpec& tower, const std::string& fallback) {
    constexpr const char* key = "vision_feature_select_strategy";
    const std::string strategy = config.text(key, fallback);
    if (strategy == "full") return false;
    if (strategy != "default") config.fail(key, "default or full", "\"" + strategy.substr(0, 60) + "\"");
    if (tower.prefixCount() != 1)
        config.fail(key, "full, for the vision tower has no class token to leave out", "default");
    return true;
}

BlockNames internvlBlockNames(const std::string& prefix) {
    const std::string layer = prefix + "encoder.layer.{i}.";
    BlockNames names;
    names.norm1 = layer + "layernorm_before";
    names.query = layer + "attention.q_proj";
    names.key = layer + "attention.k_proj";
    names.value = layer + "attention.v_proj";
    names.output = layer + "attention.projection_layer";
    names.scale1 = layer + "lambda_1";
    names.norm2 = layer + "layernorm_after";
    names.mlpIn = layer + "mlp.fc1";
    names.mlpOut = layer + "mlp.fc2";
    names.scale2 = layer + "lambda_2";
    names.module = layer + "attention";
    return names;
}

std::int64_t squareFactor(const ConfigView& config) {
    const double ratio = config.number("downsample_ratio", 0.5, {1e-3, 1});
    const auto factor = static_cast<std::int64_t>(1 / ratio);
    if (std::abs(static_cast<double>(factor) * ratio - 1) > 1e-6)
        config.fail("downsample_ratio", "1 divided by a whole number", std::to_string(ratio));
    return factor;
}

}  // namespace

VisionTransformerSpec clipOrSiglip(const ConfigView& vision, const std::string& prefix,
                                   const std::string& fallback) {
    const std::string type = vision.modelType().empty() ? fallback : vision.modelType();
    if (type == "clip_vision_model" || type == "clip") {
        VisionTransformerSpec tower =
            clipVisionTower(vision, prefix, {768, 12, 12, 3072, 224, 32, 1e-5, "quick_gelu"});
        tower.prefix = {{prefix + "embeddings.class_embedding",
                         {tower.blocks.hidden},
                         {{"cls", "[CLS]", TokenKind::Special}}}};
        tower.patches.bias = Bias::None;
        tower.positions.prefix = 1;
        tower.preNorm = prefix + "pre_layrnorm";  // so spelled in every checkpoint
        tower.preNormEps = tower.blocks.eps;
        return tower;
    }
    if (type == "siglip_vision_model" || type == "siglip")
        return clipVisionTower(vision, prefix, {768, 12, 12, 3072, 224, 16, 1e-6, "gelu_pytorch_tanh"});
    vision.fail("model_type", "clip_vision_model or siglip_vision_model", "\"" + type.substr(0, 60) + "\"");
}

PictureTowerSpec llavaTower(const ConfigView& config, const VlmPaths& paths, std::int64_t textHidden,
                            const LlavaForm& form) {
    PictureTowerSpec spec;
    spec.tower = clipOrSiglip(config.section("vision_config"), paths.vision, form.towerType);
    spec.layers = featureLayers(config, spec.tower.blocks.layers, form.layer);
    spec.dropPrefix = dropsPrefix(config, spec.tower, form.strategy);
    spec.projector = twoMatrices(config, paths.projector,
                                 spec.tower.blocks.hidden * static_cast<std::int64_t>(spec.layers.size()),
                                 textHidden);
    spec.projector.bias = config.boolean("multimodal_projector_bias", true) ? Bias::Required : Bias::None;
    return spec;
}

PictureTowerSpec paligemmaTower(const ConfigView& config, const VlmPaths& paths, std::int64_t textHidden) {
    PictureTowerSpec spec;
    spec.tower = clipOrSiglip(config.section("vision_config"), paths.vision, "siglip_vision_model");
    spec.finalNorm = paths.vision + "post_layernorm";
    spec.projector.input = spec.tower.blocks.hidden;
    spec.projector.output = textHidden;
    spec.projector.first = paths.projector + "linear";
    return spec;
}

PictureTowerSpec gemma3Tower(const ConfigView& config, const VlmPaths& paths, std::int64_t textHidden) {
    PictureTowerSpec spec;
    spec.tower = clipOrSiglip(config.section("vision_config"), paths.vision, "siglip_vision_model");
    spec.finalNorm = paths.vision + "post_layernorm";
    const std::int64_t tokens = config.integer("mm_tokens_per_image", 256, {1, 1 << 20});
    const auto side = static_cast<std::int64_t>(std::sqrt(static_cast<double>(tokens)));
    const std::int64_t patches = spec.tower.grid().rows;
    if (side * side != tokens || patches % side != 0)
        config.fail("mm_tokens_per_image", "the square of a divisor of the " + std::to_string(patches) +
                                               " patches a side", std::to_string(tokens));
    spec.projector.gather = Gather::Average;
    spec.projector.factor = patches / side;
    spec.projector.input = spec.tower.blocks.hidden;
    spec.projector.output = textHidden;
    spec.projector.norm = paths.projector + "mm_soft_emb_norm";
    spec.projector.normKind = NormKind::RmsPlusOne;
    spec.projector.normEps = spec.tower.blocks.eps;
    spec.projector.matrix = paths.projector + "mm_input_projection_weight";
    return spec;
}

PictureTowerSpec internvlTower(const ConfigView& config, const VlmPaths& paths, std::int64_t textHidden) {
    const ConfigView vision = config.section("vision_config");
    PictureTowerSpec spec;
    spec.tower = readVitSizes(vision, {1024, 24, 16, 4096, 448, 14, 1e-6, "gelu"});
    BlockStackSpec& blocks = spec.tower.blocks;
    addVitEmbeddings(spec.tower, paths.vision);
    spec.tower.positions.squareTable = true;
    if (!vision.boolean("use_absolute_position_embeddings", true)) spec.tower.positions.name.clear();
    if (!vision.boolean("use_mask_token", false)) spec.tower.maskToken.clear();
    blocks.names = internvlBlockNames(paths.vision);
    blocks.queryBias = blocks.keyBias = blocks.valueBias =
        vision.boolean("attention_bias", false) ? Bias::Required : Bias::None;
    const std::string norm = vision.text("norm_type", "layer_norm");
    if (norm != "layer_norm" && norm != "rms_norm")
        vision.fail("norm_type", "layer_norm or rms_norm", "\"" + norm.substr(0, 60) + "\"");
    blocks.norm = norm == "rms_norm" ? NormKind::Rms : NormKind::Layer;
    if (vision.boolean("use_qk_norm", false)) {
        blocks.names.queryNorm = paths.vision + "encoder.layer.{i}.attention.q_norm";
        blocks.names.keyNorm = paths.vision + "encoder.layer.{i}.attention.k_norm";
        blocks.headNorm = NormKind::Rms;
        blocks.headNormAxis = HeadNormAxis::All;
    }
    const std::vector<int> layers = featureLayers(config, blocks.layers, -1);
    if (layers != std::vector<int>{blocks.layers}) spec.layers = layers;
    if (spec.layers.empty() && !vision.boolean("use_mean_pooling", true))
        spec.finalNorm = paths.vision + "layernorm";
    spec.dropPrefix = dropsPrefix(config, spec.tower, "default");
    const std::int64_t factor = squareFactor(config);
    spec.projector = twoMatrices(config, paths.projector, blocks.hidden * factor * factor, textHidden);
    spec.projector.gather = Gather::Shuffle;
    spec.projector.factor = factor;
    spec.projector.norm = paths.projector + "layer_norm";
    return spec;
}

PictureTowerSpec ideficsTower(const ConfigView& config, const VlmPaths& paths, std::int64_t textHidden) {
    PictureTowerSpec spec;
    spec.tower = clipVisionTower(config.section("vision_config"), paths.vision,
                                 {1152, 12, 16, 3072, 224, 32, 1e-6, "gelu_pytorch_tanh"});
    spec.tower.lookup = PositionLookup::Buckets;
    spec.finalNorm = paths.vision + "post_layernorm";
    const std::int64_t factor = config.integer("scale_factor", 2, {1, 64});
    spec.projector.gather = Gather::Shuffle;
    spec.projector.factor = factor;
    spec.projector.input = spec.tower.blocks.hidden * factor * factor;
    spec.projector.output = textHidden;
    spec.projector.first = paths.projector + "modality_projection.proj";
    spec.projector.bias = Bias::None;
    return spec;
}

}  // namespace fovea
