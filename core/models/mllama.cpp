// Mllama: Llama 3.2 Vision (Meta 2024). Gated blocks between those of a Llama attend to the picture.
#include "fovea/catalog.h"
#include "nn/generation_config.h"
#include "nn/mllama_model.h"
#include "nn/vlm_source.h"

namespace fovea {
namespace {

BlockStackSpec encoder(const ConfigView& config, const std::string& layer) {
    BlockStackSpec blocks;
    blocks.hidden = config.integer("hidden_size", 1280, {1, 1 << 16});
    blocks.heads = static_cast<int>(config.integer("attention_heads|num_attention_heads", 16, {1, 1024}));
    if (blocks.hidden % blocks.heads != 0)
        config.fail("attention_heads", "a divisor of hidden_size " + std::to_string(blocks.hidden),
                    std::to_string(blocks.heads));
    blocks.headDim = static_cast<int>(blocks.hidden / blocks.heads);
    blocks.intermediate = config.integer("intermediate_size", 5120, {1, 1 << 20});
    blocks.eps = config.number("norm_eps", 1e-5, {0, 1});
    blocks.activation = readActivation(config, "hidden_act", "gelu");
    blocks.queryBias = blocks.keyBias = blocks.valueBias = blocks.outputBias = Bias::None;
    BlockNames& names = blocks.names;
    names.norm1 = layer + "input_layernorm";
    names.query = layer + "self_attn.q_proj";
    names.key = layer + "self_attn.k_proj";
    names.value = layer + "self_attn.v_proj";
    names.output = layer + "self_attn.o_proj";
    names.norm2 = layer + "post_attention_layernorm";
    names.mlpIn = layer + "mlp.fc1";
    names.mlpOut = layer + "mlp.fc2";
    names.module = layer + "self_attn";
    return blocks;
}

MllamaTowerSpec tower(const ConfigView& config, const std::string& prefix) {
    MllamaTowerSpec spec;
    spec.prefix = prefix;
    spec.local = encoder(config, prefix + "transformer.layers.{i}.");
    spec.local.layers = static_cast<int>(config.integer("num_hidden_layers", 32, {1, 1024}));
    spec.local.last = false;
    const std::string global = prefix + "global_transformer.layers.{i}.";
    spec.global = encoder(config, global);
    spec.global.layers = static_cast<int>(config.integer("num_global_layers", 8, {1, 1024}));
    spec.global.firstBlock = spec.local.layers;
    spec.global.gatedResidual = true;
    spec.global.names.scale1 = global + "gate_attn";
    spec.global.names.scale2 = global + "gate_ffn";
    spec.imageSize = config.integer("image_size", 448, {1, 1 << 15});
    spec.patches.hidden = spec.local.hidden;
    spec.patches.channels = config.integer("num_channels", 3, {1, 256});
    spec.patches.height = spec.patches.width = config.integer("patch_size", 14, {1, 4096});
    spec.patches.bias = Bias::None;
    spec.patches.path = prefix + "patch_embedding";
    if (spec.imageSize < spec.patches.height)
        config.fail("image_size", "at least one patch", std::to_string(spec.imageSize));
    spec.tiles = config.integer("max_num_tiles", 4, {1, 256});
    spec.aspectRatios = 8;
    if (config.has("supported_aspect_ratios")) {
        const auto& ratios = config.json().at("supported_aspect_ratios");
        if (!ratios.is_array() || ratios.empty() || ratios.size() > 4096)
            config.fail("supported_aspect_ratios", "a list of pairs", ratios.dump().substr(0, 60));
        spec.aspectRatios = static_cast<std::int64_t>(ratios.size());
    }
    spec.intermediate = config.integers("intermediate_layers_indices", {3, 7, 15, 23, 30}, {0, 1024});
    for (const std::int64_t block : spec.intermediate)
        if (block >= spec.local.layers)
            config.fail("intermediate_layers_indices", "blocks below " + std::to_string(spec.local.layers),
                        std::to_string(block));
    return spec;
}

std::shared_ptr<const Model> loadMllama(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    const ConfigView& config = source.config();
    const bool inMemory = source.hasPrefix("model.vision_model.");
    const std::string root = inMemory ? "model." : "";
    const ConfigView text = config.section("text_config");
    nlohmann::json llama = text.json();
    // A Llama by all but its defaults.
    for (const auto& [key, value] : {std::pair<const char*, nlohmann::json>{"vocab_size", 128256},
                                     {"hidden_size", 4096},
                                     {"num_hidden_layers", 40},
                                     {"num_attention_heads", 32},
                                     {"num_key_value_heads", 8},
                                     {"intermediate_size", 14336},
                                     {"rms_norm_eps", 1e-5},
                                     {"max_position_embeddings", 131072}})
        if (!text.has(key)) llama[key] = value;
    if (!text.has("rope_theta") && !text.has("rope_parameters")) llama["rope_theta"] = 500000.0;
    VlmPaths paths;
    paths.text = inMemory ? "model.language_model." : "language_model.model.";
    paths.head = inMemory ? "lm_head" : "language_model.lm_head";
    MllamaModel::Parts parts;
    parts.decoder = vlmDecoder(source, {ConfigView(std::move(llama), text.source()), "llama"}, paths, false);
    parts.decoder.names.head = paths.head;
    parts.tower = tower(config.section("vision_config"), root + "vision_model.");
    parts.crossBlocks = text.integers("cross_attention_layers", {3, 8, 13, 18, 23, 28, 33, 38}, {0, 1024});
    for (const std::int64_t block : parts.crossBlocks)
        if (block >= static_cast<std::int64_t>(parts.decoder.layers.size()))
            text.fail("cross_attention_layers", "blocks below " + std::to_string(parts.decoder.layers.size()),
                      std::to_string(block));
    parts.imageToken = vlmTokenId(config, "image_token_id|image_token_index", 128256);
    parts.endTokens = endTokensOf(source);
    parts.rules = generationRulesOf(source, parts.decoder.vocabulary);
    parts.projector = root + "multi_modal_projector";
    parts.prompts = std::make_shared<const VlmPrompts>(source.files().folder, "mllama", config.json(), RawPrompt::Mllama);
    auto model = std::make_shared<MllamaModel>(std::move(parts));
    model->load("mllama", source, options, job);
    return model;
}

}  // namespace

void add_mllama(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"mllama", "Mllama", "Llama 3.2 Vision: gated blocks of a Llama attend to the picture (Meta 2024).", {}};
    entry.modelTypes = {"mllama"};
    entry.architectures = {"MllamaForConditionalGeneration"};
    entry.load = loadMllama;
    catalog.add(std::move(entry));
}

}  // namespace fovea
