#include "nn/vit_config.h"

namespace fovea {

VisionTransformerSpec readVitSizes(const ConfigView& config, const VitDefaults& defaults) {
    VisionTransformerSpec spec;
    BlockStackSpec& blocks = spec.blocks;
    blocks.hidden = config.integer("hidden_size", defaults.hidden, {1, 1 << 16});
    blocks.layers = static_cast<int>(config.integer("num_hidden_layers", defaults.layers, {1, 1024}));
    blocks.heads = static_cast<int>(config.integer("num_attention_heads", defaults.heads, {1, 1024}));
    if (blocks.hidden % blocks.heads != 0)
        config.fail("num_attention_heads", "a divisor of hidden_size " + std::to_string(blocks.hidden),
                    std::to_string(blocks.heads));
    blocks.headDim = static_cast<int>(config.integer("head_dim", blocks.hidden / blocks.heads, {1, 4096}));
    blocks.intermediate = config.integer("intermediate_size", defaults.intermediate, {1, 1 << 20});
    blocks.eps = config.number("layer_norm_eps", defaults.eps, {0, 1});
    blocks.activation = readActivation(config, "hidden_act", defaults.activation);

    spec.patches.hidden = spec.positions.hidden = blocks.hidden;
    spec.patches.channels = config.integer("num_channels", 3, {1, 256});
    std::tie(spec.patches.height, spec.patches.width) = config.size("patch_size", defaults.patch, {1, 4096});
    std::tie(spec.imageHeight, spec.imageWidth) = config.size("image_size", defaults.image, {1, 1 << 15});
    if (spec.grid().rows < 1 || spec.grid().columns < 1)
        config.fail("image_size", "at least one patch of " + std::to_string(spec.patches.height) + " pixels",
                    std::to_string(spec.imageHeight) + " x " + std::to_string(spec.imageWidth));
    spec.positions.grid = blocks.relativeGrid = spec.grid();
    return spec;
}

BlockNames vitBlockNames(const std::string& prefix) {
    const std::string layer = prefix + "encoder.layer.{i}.";
    BlockNames names;
    names.norm1 = layer + "layernorm_before";
    names.query = layer + "attention.attention.query";
    names.key = layer + "attention.attention.key";
    names.value = layer + "attention.attention.value";
    names.output = layer + "attention.output.dense";
    names.norm2 = layer + "layernorm_after";
    names.mlpIn = layer + "intermediate.dense";
    names.mlpOut = layer + "output.dense";
    names.module = layer + "attention.attention";
    return names;
}

BlockNames timmBlockNames(const std::string& prefix) {
    const std::string block = prefix + "blocks.{i}.";
    BlockNames names;
    names.norm1 = block + "norm1";
    names.qkv = block + "attn.qkv";
    names.output = block + "attn.proj";
    names.norm2 = block + "norm2";
    names.mlpIn = block + "mlp.fc1";
    names.mlpOut = block + "mlp.fc2";
    names.module = block + "attn";
    return names;
}

void addVitEmbeddings(VisionTransformerSpec& spec, const std::string& prefix) {
    const std::int64_t hidden = spec.blocks.hidden;
    spec.prefix = {classToken(prefix + "embeddings.cls_token", hidden)};
    spec.patches.path = prefix + "embeddings.patch_embeddings.projection";
    spec.positions.name = prefix + "embeddings.position_embeddings";
    spec.positions.leading = {1};
    spec.positions.prefix = 1;
    spec.maskToken = prefix + "embeddings.mask_token";
    spec.maskShape = {1, 1, hidden};
}

}  // namespace fovea
