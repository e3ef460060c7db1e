#include "nn/dinov2_parts.h"

#include "nn/timm_vit.h"
#include "nn/vit_config.h"

namespace fovea {
namespace {

/// Width of the feed-forward part; SwiGLU takes two thirds, rounded up to a multiple of 8.
std::int64_t mlpWidth(const ConfigView& config, std::int64_t hidden, bool swiglu) {
    const double ratio = config.number("mlp_ratio", 4, {0.01, 1024});
    const auto width = static_cast<std::int64_t>(static_cast<double>(hidden) * ratio);
    if (!swiglu) return width;
    return (static_cast<std::int64_t>(static_cast<double>(width) * 2 / 3) + 7) / 8 * 8;
}

BlockNames blockNames(const std::string& prefix, bool swiglu) {
    const std::string layer = prefix + "encoder.layer.{i}.";
    BlockNames names;
    names.norm1 = layer + "norm1";
    names.query = layer + "attention.attention.query";
    names.key = layer + "attention.attention.key";
    names.value = layer + "attention.attention.value";
    names.output = layer + "attention.output.dense";
    names.scale1 = layer + "layer_scale1.lambda1";
    names.norm2 = layer + "norm2";
    names.mlpIn = layer + (swiglu ? "mlp.weights_in" : "mlp.fc1");
    names.mlpOut = layer + (swiglu ? "mlp.weights_out" : "mlp.fc2");
    names.scale2 = layer + "layer_scale2.lambda1";
    names.module = layer + "attention.attention";
    return names;
}

}  // namespace

VisionModelParts dinov2Parts(const ModelSource& source, const Dinov2Form& form) {
    if (hasTimmLayout(source)) return timmParts(source);
    const ConfigView& config = source.config();
    const std::string prefix = source.basePrefix(form.prefix, "embeddings.");
    VitDefaults defaults;
    defaults.patch = form.patch;
    defaults.eps = 1e-6;
    VisionModelParts parts;
    VisionTransformerSpec& tower = parts.tower;
    tower = readVitSizes(config, defaults);
    addVitEmbeddings(tower, prefix);
    tower.maskShape = {1, tower.blocks.hidden};
    if (form.registers > 0)
        tower.prefix.push_back(
            registerTokens(prefix + "embeddings.register_tokens", form.registers, tower.blocks.hidden));
    tower.positions.resize = form.resize;
    tower.positions.squareTable = true;
    BlockStackSpec& blocks = tower.blocks;
    const bool swiglu = config.boolean("use_swiglu_ffn", false);
    blocks.names = blockNames(prefix, swiglu);
    blocks.mlp = swiglu ? MlpKind::FusedSwiGlu : MlpKind::Plain;
    blocks.intermediate = mlpWidth(config, blocks.hidden, swiglu);
    blocks.queryBias = blocks.keyBias = blocks.valueBias =
        config.boolean("qkv_bias", true) ? Bias::Required : Bias::None;

    StandardHeadSpec head;
    head.hidden = blocks.hidden;
    head.eps = blocks.eps;
    head.finalNorm = prefix + "layernorm";
    head.pooling = Pooling::ClassAndPatches;
    const std::string& architecture = source.identity().architecture;
    if (source.classifies(form.architecture)) {
        head.labels = config.labelCount(2);
        head.classifier = "classifier";
        parts.labels = classLabels(config, head.labels);
    } else if (!architecture.empty() && architecture != form.architecture + "Model") {
        parts.notices.push_back(headNotice(architecture, form.architecture + "Model"));
    }
    parts.head = std::make_unique<StandardHead>(std::move(head));
    return parts;
}

}  // namespace fovea
