#include "nn/towers/tower_specs.h"

namespace fovea {
namespace {

// What the three towers share; `sizes` names the keys that differ.
struct QwenSizes {
    const char* hiddenKey;
    std::int64_t hidden, depth, heads, patch;
    const char* activation;
};

QwenTowerSpec readQwen(const ConfigView& vision, const std::string& prefix, const QwenSizes& sizes) {
    QwenTowerSpec spec;
    BlockStackSpec& blocks = spec.blocks;
    blocks.hidden = vision.integer(sizes.hiddenKey, sizes.hidden, {4, 1 << 16});
    blocks.layers = static_cast<int>(vision.integer("depth|num_hidden_layers", sizes.depth, {1, 1024}));
    blocks.heads = static_cast<int>(vision.integer("num_heads|num_attention_heads", sizes.heads, {1, 1024}));
    if (blocks.hidden % blocks.heads != 0 || (blocks.hidden / blocks.heads) % 4 != 0)
        vision.fail("num_heads", "a divisor of the hidden size that leaves a multiple of 4 channels a head",
                    std::to_string(blocks.heads));
    blocks.headDim = static_cast<int>(blocks.hidden / blocks.heads);
    blocks.eps = 1e-6;
    blocks.activation = readActivation(vision, "hidden_act", sizes.activation);
    spec.channels = vision.integer("in_channels|in_chans", 3, {1, 256});
    spec.patch = vision.integer("patch_size|spatial_patch_size", sizes.patch, {1, 4096});
    spec.temporalPatch = vision.integer("temporal_patch_size", 2, {1, 64});
    spec.merge = vision.integer("spatial_merge_size", 2, {1, 64});
    spec.theta = vision.section("rope_parameters").number("rope_theta", 10000, {1e-3, 1e12});
    spec.patchPath = prefix + "patch_embed.proj";

    const std::string block = prefix + "blocks.{i}.";
    blocks.names.norm1 = block + "norm1";
    blocks.names.qkv = block + "attn.qkv";
    blocks.names.output = block + "attn.proj";
    blocks.names.norm2 = block + "norm2";
    blocks.names.module = block + "attn";
    return spec;
}

}  // namespace

QwenTowerSpec qwen2Tower(const ConfigView& vision, const std::string& prefix) {
    QwenTowerSpec spec = readQwen(vision, prefix, {"embed_dim", 1280, 32, 16, 14, "quick_gelu"});
    const double ratio = vision.number("mlp_ratio", 4, {0.01, 64});
    spec.blocks.intermediate = static_cast<std::int64_t>(static_cast<double>(spec.blocks.hidden) * ratio);
    spec.blocks.names.mlpIn = prefix + "blocks.{i}.mlp.fc1";
    spec.blocks.names.mlpOut = prefix + "blocks.{i}.mlp.fc2";
    spec.merger = {prefix + "merger.ln_q", prefix + "merger.mlp.0", prefix + "merger.mlp.2"};
    spec.output = vision.integer("hidden_size", 3584, {1, 1 << 16});
    return spec;
}

QwenTowerSpec qwen25Tower(const ConfigView& vision, const std::string& prefix) {
    QwenTowerSpec spec = readQwen(vision, prefix, {"hidden_size", 3584, 32, 16, 14, "silu"});
    BlockStackSpec& blocks = spec.blocks;
    blocks.norm = NormKind::Rms;
    blocks.intermediate = vision.integer("intermediate_size", 3420, {1, 1 << 20});
    blocks.mlp = MlpKind::Gated;
    blocks.names.mlpIn = prefix + "blocks.{i}.mlp.up_proj";
    blocks.names.mlpGate = prefix + "blocks.{i}.mlp.gate_proj";
    blocks.names.mlpOut = prefix + "blocks.{i}.mlp.down_proj";
    const std::int64_t window = vision.integer("window_size", 112, {1, 1 << 20});
    spec.window = window / spec.merge / spec.patch;
    if (spec.window < 1)
        vision.fail("window_size", "at least " + std::to_string(spec.merge * spec.patch) + " pixels",
                    std::to_string(window));
    spec.fullBlocks = vision.integers("fullatt_block_indexes", {7, 15, 23, 31}, {0, 1024});
    spec.merger = {prefix + "merger.ln_q", prefix + "merger.mlp.0", prefix + "merger.mlp.2"};
    spec.output = vision.integer("out_hidden_size", 3584, {1, 1 << 16});
    return spec;
}

QwenTowerSpec qwen3Tower(const ConfigView& vision, const std::string& prefix) {
    QwenTowerSpec spec = readQwen(vision, prefix, {"hidden_size", 1152, 27, 16, 16, "gelu_pytorch_tanh"});
    BlockStackSpec& blocks = spec.blocks;
    blocks.intermediate = vision.integer("intermediate_size", 4304, {1, 1 << 20});
    blocks.names.mlpIn = prefix + "blocks.{i}.mlp.linear_fc1";
    blocks.names.mlpOut = prefix + "blocks.{i}.mlp.linear_fc2";
    spec.patchBias = Bias::Required;
    const std::int64_t positions = vision.integer("num_position_embeddings", 2304, {1, 1 << 24});
    while (spec.positionSide * spec.positionSide < positions) ++spec.positionSide;
    if (spec.positionSide * spec.positionSide != positions)
        vision.fail("num_position_embeddings", "a square number", std::to_string(positions));
    spec.positions = prefix + "pos_embed.weight";
    spec.merger = {prefix + "merger.norm", prefix + "merger.linear_fc1", prefix + "merger.linear_fc2"};
    spec.output = vision.integer("out_hidden_size", 3584, {1, 1 << 16});
    spec.deepBlocks = vision.integers("deepstack_visual_indexes", {8, 16, 24}, {0, 1024});
    for (std::size_t i = 0; i < spec.deepBlocks.size(); ++i) {
        if (spec.deepBlocks[i] >= blocks.layers)
            vision.fail("deepstack_visual_indexes", "blocks below " + std::to_string(blocks.layers),
                        std::to_string(spec.deepBlocks[i]));
        const std::string merger = prefix + "deepstack_merger_list." + std::to_string(i) + ".";
        spec.deepMergers.push_back({merger + "norm", merger + "linear_fc1", merger + "linear_fc2"});
    }
    return spec;
}

}  // namespace fovea
