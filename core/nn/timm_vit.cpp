#include "nn/timm_vit.h"

#include <fmt/format.h>

#include "nn/vit_config.h"

namespace fovea {
namespace {

std::string keyPrefix(const ModelSource& source) {
    return source.config().text("key_prefix", "");
}

Bias biasOf(const WeightStore& weights, const std::string& path) {
    return weights.contains(path + ".bias") ? Bias::Required : Bias::None;
}

void addTokens(VisionTransformerSpec& spec, const ModelSource& source, const std::string& prefix) {
    const WeightStore& weights = source.weights();
    const std::int64_t hidden = spec.blocks.hidden;
    if (weights.contains(prefix + "cls_token"))
        spec.prefix.push_back(classToken(prefix + "cls_token", hidden));
    if (weights.contains(prefix + "dist_token"))
        spec.prefix.push_back(
            {prefix + "dist_token", {1, 1, hidden}, {{"distillation", "[DIST]", TokenKind::Special}}});
    for (const char* name : {"reg_token", "register_tokens"})
        if (weights.contains(prefix + name))
            spec.prefix.push_back(registerTokens(
                prefix + name, source.config().integer("num_register_tokens", 0, {1, 4096}), hidden));
    spec.positions.name = prefix + "pos_embed";
    spec.positions.leading = {1};
    spec.positions.prefix = source.config().integer("pos_embed_prefix_tokens", 1, {0, 4096});
    // timm and DINOv2 with registers resize with antialiasing, the older repositories without.
    if (source.files().format == ModelFormat::Timm || spec.prefixCount() > 2)
        spec.positions.resize = PositionResize::BicubicAntialias;
    if (spec.positions.prefix > spec.prefixCount())
        source.config().fail("pos_embed_prefix_tokens", "at most the tokens before the patches",
                             std::to_string(spec.positions.prefix));
}

void addBlocks(BlockStackSpec& blocks, const ModelSource& source, const std::string& prefix) {
    const WeightStore& weights = source.weights();
    const auto has = [&](const std::string& name) { return weights.contains(prefix + "blocks.0." + name); };
    const std::string block = prefix + "blocks.{i}.";
    blocks.names = timmBlockNames(prefix);
    blocks.queryBias = biasOf(weights, prefix + "blocks.0.attn.qkv");
    blocks.outputBias = biasOf(weights, prefix + "blocks.0.attn.proj");
    if (has("ls1.gamma")) blocks.names.scale1 = block + "ls1.gamma";
    if (has("ls2.gamma")) blocks.names.scale2 = block + "ls2.gamma";
    if (has("attn.q_norm.weight")) blocks.names.queryNorm = block + "attn.q_norm";
    if (has("attn.k_norm.weight")) blocks.names.keyNorm = block + "attn.k_norm";
    if (has("mlp.w12.weight")) {
        blocks.mlp = MlpKind::FusedSwiGlu;
        blocks.names.mlpIn = block + "mlp.w12";
        blocks.names.mlpOut = block + "mlp.w3";
        blocks.mlpBias = biasOf(weights, prefix + "blocks.0.mlp.w12");
    } else {
        if (source.config().boolean("use_swiglu_ffn", false)) blocks.mlp = MlpKind::FusedSwiGlu;
        blocks.mlpBias = biasOf(weights, prefix + "blocks.0.mlp.fc1");
    }
}

}  // namespace

bool hasTimmLayout(const ModelSource& source) {
    const std::string prefix = keyPrefix(source);
    return source.files().format != ModelFormat::Transformers ||
           source.weights().contains(prefix + "patch_embed.proj.weight");
}

VisionModelParts timmParts(const ModelSource& source) {
    const ConfigView& config = source.config();
    const WeightStore& weights = source.weights();
    const std::string prefix = keyPrefix(source);
    const ConfigView arguments = config.section("model_args");
    VisionModelParts parts;
    VisionTransformerSpec& tower = parts.tower;
    VitDefaults defaults;
    defaults.eps = 1e-6;
    tower = readVitSizes(config, defaults);
    tower.blocks.heads = static_cast<int>(arguments.integer("num_heads", tower.blocks.heads, {1, 1024}));
    if (tower.blocks.hidden % tower.blocks.heads != 0)
        arguments.fail("num_heads", fmt::format("a divisor of {}", tower.blocks.hidden),
                       std::to_string(tower.blocks.heads));
    tower.blocks.headDim = static_cast<int>(tower.blocks.hidden / tower.blocks.heads);
    if (!arguments.has("num_heads") && source.files().format != ModelFormat::Transformers)
        parts.notices.push_back(
            fmt::format("the number of heads is not in the files: {} heads of {} channels are taken, as "
                        "published models have",
                        tower.blocks.heads, tower.blocks.headDim));
    tower.patches.path = prefix + "patch_embed.proj";
    tower.patches.bias = biasOf(weights, tower.patches.path);
    addTokens(tower, source, prefix);
    addBlocks(tower.blocks, source, prefix);
    if (weights.contains(prefix + "norm_pre.weight")) {
        tower.preNorm = prefix + "norm_pre";
        tower.preNormEps = tower.blocks.eps;
    }

    StandardHeadSpec head;
    head.hidden = tower.blocks.hidden;
    head.eps = tower.blocks.eps;
    if (weights.contains(prefix + "norm.weight")) head.finalNorm = prefix + "norm";
    if (weights.contains(prefix + "fc_norm.weight")) head.pooledNorm = prefix + "fc_norm";
    const std::string pool =
        arguments.text("global_pool", config.text("global_pool", tower.prefix.empty() ? "avg" : "token"));
    if (pool == "avg") {
        head.pooling = Pooling::PatchMean;
    } else if (pool == "token") {
        head.pooling = Pooling::ClassToken;
    } else if (pool.empty()) {
        head.pooling = Pooling::None;
    } else {
        config.fail("global_pool", "token, avg or nothing", fmt::format("\"{:.40}\"", pool));
    }
    if (weights.contains(prefix + "head.weight") && head.pooling != Pooling::None) {
        head.labels =
            config.integer("num_labels", config.integer("num_classes", 1000, {1, 1'000'000}), {1, 1'000'000});
        head.classifier = prefix + "head";
        parts.labels = classLabels(config, head.labels);
    }
    if (source.weights().contains(prefix + "dist_token"))
        parts.notices.push_back(
            "the distillation head (head_dist) is not run: logits are those of the class token");
    parts.ignored = {"*mask_token"};
    parts.head = std::make_unique<StandardHead>(std::move(head));
    return parts;
}

}  // namespace fovea
