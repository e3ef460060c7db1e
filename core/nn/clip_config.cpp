#include "nn/clip_config.h"

namespace fovea {

BlockNames clipBlockNames(const std::string& prefix) {
    const std::string layer = prefix + "encoder.layers.{i}.";
    BlockNames names;
    names.norm1 = layer + "layer_norm1";
    names.query = layer + "self_attn.q_proj";
    names.key = layer + "self_attn.k_proj";
    names.value = layer + "self_attn.v_proj";
    names.output = layer + "self_attn.out_proj";
    names.norm2 = layer + "layer_norm2";
    names.mlpIn = layer + "mlp.fc1";
    names.mlpOut = layer + "mlp.fc2";
    names.module = layer + "self_attn";
    return names;
}

ConfigView towerConfig(const ModelSource& source, const std::string& section) {
    const ConfigView& config = source.config();
    if (!config.has(section) && !config.has(section + "_dict")) {
        // A model of two towers may leave a section out when everything in it has its default.
        const std::string& type = source.identity().modelType;
        const bool single = type.ends_with("_vision_model") || type.ends_with("_text_model");
        return single ? config : config.section(section);
    }
    nlohmann::json merged = config.section(section).json();
    merged.update(config.section(section + "_dict").json());
    return {std::move(merged), config.source() + ": " + section};
}

VisionTransformerSpec clipVisionTower(const ConfigView& config, const std::string& prefix,
                                      const VitDefaults& defaults) {
    VisionTransformerSpec tower = readVitSizes(config, defaults);
    tower.blocks.names = clipBlockNames(prefix);
    tower.patches.path = prefix + "embeddings.patch_embedding";
    tower.positions.name = prefix + "embeddings.position_embedding.weight";
    tower.positions.prefix = 0;
    return tower;
}

TextTransformerSpec clipTextTower(const ConfigView& config, const TextDefaults& defaults) {
    TextTransformerSpec text;
    const VisionTransformerSpec sizes =
        readVitSizes(config, {defaults.hidden, defaults.layers, defaults.heads, defaults.intermediate, 1, 1,
                              defaults.eps, defaults.activation});
    text.blocks = sizes.blocks;
    text.blocks.stage = "text";
    text.prefix = "text_model.";
    text.blocks.names = clipBlockNames(text.prefix);
    text.vocabulary = config.integer("vocab_size", defaults.vocabulary, {1, 1 << 26});
    text.positions = config.integer("max_position_embeddings", defaults.positions, {1, 1 << 20});
    return text;
}

}  // namespace fovea
