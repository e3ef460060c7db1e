#include "nn/decoder_config.h"

#include <algorithm>
#include <cmath>

namespace fovea {
namespace {

/// What the reference's configuration classes of the Llama line take for granted.
struct Defaults {
    std::string_view type;
    std::int64_t vocabulary, hidden, intermediate, layers, heads, keyValueHeads, headDim, positions;
    double theta = 10000, eps = 1e-6;
    bool tied = false;
};

// keyValueHeads 0: as many as heads; headDim 0: hidden / heads.
constexpr Defaults kDefaults[] = {
    {"llama", 32000, 4096, 11008, 32, 32, 0, 0, 2048},
    {"mistral", 32000, 4096, 14336, 32, 32, 8, 0, 131072},
    {"qwen2", 151936, 4096, 22016, 32, 32, 32, 0, 32768},
    {"qwen3", 151936, 4096, 22016, 32, 32, 32, 128, 32768},
    {"gemma", 256000, 3072, 24576, 28, 16, 16, 256, 8192, 10000, 1e-6, true},
    {"gemma2", 256000, 2304, 9216, 26, 8, 4, 256, 8192, 10000, 1e-6, true},
    {"gemma3_text", 262208, 2304, 9216, 26, 8, 4, 256, 131072, 1000000, 1e-6, true},
    {"qwen2_vl_text", 152064, 8192, 29568, 80, 64, 8, 0, 32768, 1000000, 1e-5},
    {"qwen2_5_vl_text", 152064, 8192, 29568, 80, 64, 8, 0, 32768, 1000000, 1e-5},
    {"qwen3_vl_text", 151936, 4096, 22016, 32, 32, 32, 128, 128000, 500000},
};

bool isNull(const ConfigView& config, const char* key) {
    const auto found = config.json().find(key);
    return found != config.json().end() && found->is_null();
}

void readSizes(DecoderSpec& spec, const ConfigView& config, const Defaults& defaults) {
    spec.vocabulary = config.integer("vocab_size", defaults.vocabulary, {1, 1 << 26});
    spec.hidden = config.integer("hidden_size", defaults.hidden, {1, 1 << 16});
    spec.intermediate = config.integer("intermediate_size", defaults.intermediate, {1, 1 << 20});
    spec.layers.resize(
        static_cast<std::size_t>(config.integer("num_hidden_layers", defaults.layers, {1, 1024})));
    const std::int64_t heads = config.integer("num_attention_heads", defaults.heads, {1, 1024});
    const bool all = defaults.keyValueHeads == 0 || isNull(config, "num_key_value_heads");
    const std::int64_t shared =
        config.integer("num_key_value_heads", all ? heads : defaults.keyValueHeads, {1, 1024});
    if (heads % shared != 0)
        config.fail("num_key_value_heads", "a divisor of num_attention_heads " + std::to_string(heads),
                    std::to_string(shared));
    if (defaults.headDim == 0 && !config.has("head_dim") && spec.hidden % heads != 0)
        config.fail("num_attention_heads", "a divisor of hidden_size " + std::to_string(spec.hidden),
                    std::to_string(heads));
    spec.headDim = static_cast<int>(config.integer(
        "head_dim", defaults.headDim == 0 ? std::max<std::int64_t>(1, spec.hidden / heads) : defaults.headDim,
        {1, 4096}));
    spec.heads = static_cast<int>(heads);
    spec.keyValueHeads = static_cast<int>(shared);
    spec.positions = config.integer("max_position_embeddings", defaults.positions, {1, std::int64_t{1} << 40});
    spec.eps = config.number("rms_norm_eps", defaults.eps, {0, 1});
    spec.scale = 1 / std::sqrt(static_cast<double>(spec.headDim));
}

void readBiases(DecoderSpec& spec, const ConfigView& config, std::string_view type) {
    const auto flag = [&](const char* key) { return config.boolean(key, false) ? Bias::Required : Bias::None; };
    const bool qwen2 = type == "qwen2" || type == "qwen2_vl_text" || type == "qwen2_5_vl_text";
    spec.qkvBias = qwen2 ? Bias::Required : type == "mistral" ? Bias::None : flag("attention_bias");
    spec.outputBias = qwen2 ? Bias::None : spec.qkvBias;
    spec.mlpBias = type == "llama" ? flag("mlp_bias") : Bias::None;
}

DecoderNames namesOf(const DecoderPaths& paths) {
    const std::string layer = paths.prefix + "layers.{i}.";
    DecoderNames names;
    names.embedding = paths.prefix + "embed_tokens";
    names.norm1 = layer + "input_layernorm";
    names.query = layer + "self_attn.q_proj";
    names.key = layer + "self_attn.k_proj";
    names.value = layer + "self_attn.v_proj";
    names.output = layer + "self_attn.o_proj";
    names.norm2 = layer + "post_attention_layernorm";
    names.mlpGate = layer + "mlp.gate_proj";
    names.mlpIn = layer + "mlp.up_proj";
    names.mlpOut = layer + "mlp.down_proj";
    names.finalNorm = paths.prefix + "norm";
    names.head = paths.head;
    names.module = layer + "self_attn";
    return names;
}

// Which blocks have a window: layer_types where it is there, else what the family does without it.
void readWindows(DecoderSpec& spec, const ConfigView& config, std::string_view type) {
    const auto layers = static_cast<std::int64_t>(spec.layers.size());
    const bool gemma = type == "gemma2" || type == "gemma3_text";
    const bool qwen = type.starts_with("qwen");
    if (type == "llama" || type == "gemma") return;
    if (qwen && !config.boolean("use_sliding_window", false)) return;
    if (isNull(config, "sliding_window")) return;
    const std::int64_t window = config.integer("sliding_window", 4096, {1, std::int64_t{1} << 40});
    const std::int64_t pattern = config.integer("sliding_window_pattern|_sliding_window_pattern", 6, {1, 1024});
    const std::int64_t first = config.integer("max_window_layers", type == "qwen2_vl_text" || type == "qwen2_5_vl_text" ? 80 : 28, {0, 1 << 20});
    const auto types = type == "mistral" ? std::vector<std::string>{} : config.texts("layer_types", {});
    if (!types.empty() && types.size() != spec.layers.size())
        config.fail("layer_types", std::to_string(layers) + " entries", std::to_string(types.size()));
    for (std::int64_t i = 0; i < layers; ++i) {
        bool slides = type == "mistral" || (qwen && i >= first) || (type == "gemma2" && i % 2 == 0) ||
                      (type == "gemma3_text" && (i + 1) % pattern != 0);
        if (!types.empty()) {
            const std::string& word = types[static_cast<std::size_t>(i)];
            if (word != "sliding_attention" && word != "full_attention")
                config.fail("layer_types", "full_attention or sliding_attention", "\"" + word.substr(0, 60) + "\"");
            slides = word == "sliding_attention";
        }
        if (slides) spec.layers[static_cast<std::size_t>(i)].window = window;
    }
    if (gemma && config.boolean("use_bidirectional_attention", false))
        config.fail("use_bidirectional_attention", "false", "true");
}

void readRopes(DecoderSpec& spec, const ConfigView& config, const Defaults& defaults) {
    RopeSpec rope;
    rope.dim = spec.headDim;
    rope.theta = defaults.theta;
    rope.maxPositions = rope.originalPositions = spec.positions;
    if (defaults.type == "qwen2_vl_text" || defaults.type == "qwen2_5_vl_text") rope.sections = {16, 24, 24};
    if (defaults.type == "qwen3_vl_text") {
        rope.sections = {24, 20, 20};
        rope.sectionOrder = RopeSections::Interleaved;
    }
    if (defaults.type != "gemma3_text") {
        spec.ropes = {readRope(config, "full_attention", rope)};
        return;
    }
    // Windowed blocks turn by a base of their own and are never stretched.
    const ConfigView parameters = config.section("rope_parameters");
    RopeSpec local = rope;
    local.theta = config.number("rope_local_base_freq", 10000, {1e-3, 1e12});
    if (parameters.has("sliding_attention")) local = readRope(config, "sliding_attention", local);
    local.theta = parameters.section("sliding_attention").number("rope_theta", config.number("rope_local_base_freq", 10000, {1e-3, 1e12}), {1e-3, 1e12});
    spec.ropes = {readRope(config, "full_attention", rope), local};
    for (DecoderLayer& layer : spec.layers) layer.rope = layer.window > 0 ? 1 : 0;
}

void addGemma(DecoderSpec& spec, const ConfigView& config, std::string_view type) {
    spec.norm = NormKind::RmsPlusOne;
    spec.embeddingScale = std::sqrt(static_cast<double>(spec.hidden));
    const char* key = type == "gemma" ? "hidden_act" : "hidden_activation";
    spec.activation = readActivation(config, key, "gelu_pytorch_tanh");
    if (type == "gemma") return;
    spec.scale = 1 / std::sqrt(config.number("query_pre_attn_scalar", 256, {1e-6, 1e9}));
    const bool capped = type == "gemma2";
    const auto cap = [&](const char* name, double fallback) {
        return isNull(config, name) ? 0 : config.number(name, capped ? fallback : 0, {0, 1e9});
    };
    // Gemma 3 takes the key but does not cap what enters its softmax.
    spec.softcap = capped ? cap("attn_logit_softcapping", 50) : 0;
    spec.finalSoftcap = cap("final_logit_softcapping", 30);
    DecoderNames& names = spec.names;
    names.afterAttention = names.norm2;
    const std::string layer = names.norm1.substr(0, names.norm1.rfind('.') + 1);
    names.norm2 = layer + "pre_feedforward_layernorm";
    names.afterMlp = layer + "post_feedforward_layernorm";
}

DecoderSpec readGpt2(const ConfigView& config, const DecoderPaths& paths) {
    DecoderSpec spec;
    spec.vocabulary = config.integer("vocab_size", 50257, {1, 1 << 26});
    spec.hidden = config.integer("n_embd|hidden_size", 768, {1, 1 << 16});
    spec.layers.resize(static_cast<std::size_t>(config.integer("n_layer|num_hidden_layers", 12, {1, 1024})));
    const std::int64_t heads = config.integer("n_head|num_attention_heads", 12, {1, 1024});
    if (spec.hidden % heads != 0)
        config.fail("n_head", "a divisor of n_embd " + std::to_string(spec.hidden), std::to_string(heads));
    spec.heads = spec.keyValueHeads = static_cast<int>(heads);
    spec.headDim = static_cast<int>(spec.hidden / heads);
    spec.intermediate = config.integer("n_inner", 4 * spec.hidden, {1, 1 << 20});
    spec.positions = config.integer("n_positions|max_position_embeddings|n_ctx", 1024, {1, 1 << 24});
    spec.eps = config.number("layer_norm_epsilon", 1e-5, {0, 1});
    spec.norm = NormKind::Layer;
    spec.activation = readActivation(config, "activation_function", "gelu_new");
    spec.mlp = MlpKind::Plain;
    spec.qkvBias = spec.outputBias = spec.mlpBias = Bias::Required;
    spec.transposed = true;
    spec.scale = config.boolean("scale_attn_weights", true) ? 1 / std::sqrt(static_cast<double>(spec.headDim)) : 1;
    spec.scaleByBlock = config.boolean("scale_attn_by_inverse_layer_idx", false);
    if (config.boolean("add_cross_attention", false)) config.fail("add_cross_attention", "false", "true");
    const std::string layer = paths.prefix + "h.{i}.";
    DecoderNames& names = spec.names;
    names.embedding = paths.prefix + "wte";
    names.positionEmbedding = paths.prefix + "wpe";
    names.norm1 = layer + "ln_1";
    names.qkv = layer + "attn.c_attn";
    names.output = layer + "attn.c_proj";
    names.norm2 = layer + "ln_2";
    names.mlpIn = layer + "mlp.c_fc";
    names.mlpOut = layer + "mlp.c_proj";
    names.finalNorm = paths.prefix + "ln_f";
    names.head = paths.head;
    names.module = layer + "attn";
    return spec;
}

}  // namespace

DecoderSpec readDecoder(std::string_view modelType, const ConfigView& config, const DecoderPaths& paths) {
    DecoderSpec spec;
    bool tied = true;
    if (modelType == "gpt2") {
        spec = readGpt2(config, paths);
    } else {
        const auto known = std::find_if(std::begin(kDefaults), std::end(kDefaults),
                                        [&](const Defaults& d) { return d.type == modelType; });
        if (known == std::end(kDefaults))
            config.fail("model_type", "a decoder that is known", "\"" + std::string(modelType.substr(0, 60)) + "\"");
        readSizes(spec, config, *known);
        readBiases(spec, config, modelType);
        spec.names = namesOf(paths);
        if (modelType.starts_with("gemma"))
            addGemma(spec, config, modelType);
        else
            spec.activation = readActivation(config, "hidden_act", "silu");
        if (modelType == "qwen3" || modelType == "gemma3_text" || modelType == "qwen3_vl_text") {
            const std::string attention = paths.prefix + "layers.{i}.self_attn.";
            spec.names.queryNorm = attention + "q_norm";
            spec.names.keyNorm = attention + "k_norm";
        }
        readWindows(spec, config, modelType);
        readRopes(spec, config, *known);
        tied = known->tied;
    }
    spec.tied = !paths.head.empty() && (config.boolean("tie_word_embeddings", tied) || !paths.headStored);
    return spec;
}

}  // namespace fovea
