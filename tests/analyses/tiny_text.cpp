#include "analyses/tiny_text.h"

#include <ATen/Parallel.h>

#include <atomic>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "io/safetensors.h"

namespace fovea::test {
namespace {

using nlohmann::json;
using Values = std::map<std::string, Array>;

constexpr std::int64_t hidden = 24, mlp = 32, words = 40;
constexpr int layers = 3, imageToken = 39;

std::filesystem::path newFolder() {
    static std::atomic<int> count{0};
    std::random_device device;
    const auto path = std::filesystem::temp_directory_path() /
                      ("fovea-text-" + std::to_string(device()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(path);
    return path;
}

class RandomWeights {
public:
    explicit RandomWeights(unsigned seed) : m_random(seed) {}

    void matrix(const std::string& name, std::vector<std::int64_t> shape) {
        Array array(shape);
        const double scale = 1 / std::sqrt(static_cast<double>(shape.size() > 1 ? Array::count(shape) / shape[0] : 4));
        for (float& value : array.values) value = static_cast<float>(scale * m_normal(m_random));
        values[name + ".weight"] = std::move(array);
    }
    void bias(const std::string& name, std::int64_t size) {
        Array array({size});
        for (float& value : array.values) value = static_cast<float>(0.1 * m_normal(m_random));
        values[name + ".bias"] = std::move(array);
    }
    void linear(const std::string& name, std::int64_t out, std::int64_t in) { matrix(name, {out, in}), bias(name, out); }
    void gain(const std::string& name) {
        Array array({hidden}, 1);
        for (float& value : array.values) value += static_cast<float>(0.1 * m_normal(m_random));
        values[name + ".weight"] = std::move(array);
    }
    void norm(const std::string& name) { gain(name), bias(name, hidden); }

    Values values;

private:
    std::mt19937 m_random;
    std::normal_distribution<double> m_normal;
};

void addLlama(RandomWeights& weights, const std::string& prefix, const std::string& head) {
    weights.matrix(prefix + "embed_tokens", {words, hidden});
    for (int i = 0; i < layers; ++i) {
        const std::string layer = prefix + "layers." + std::to_string(i) + ".";
        for (const char* name : {"q_proj", "k_proj", "v_proj", "o_proj"}) weights.matrix(layer + "self_attn." + name, {hidden, hidden});
        weights.matrix(layer + "mlp.gate_proj", {mlp, hidden});
        weights.matrix(layer + "mlp.up_proj", {mlp, hidden});
        weights.matrix(layer + "mlp.down_proj", {hidden, mlp});
        weights.gain(layer + "input_layernorm");
        weights.gain(layer + "post_attention_layernorm");
    }
    weights.gain(prefix + "norm");
    weights.matrix(head, {words, hidden});
}

void addTower(RandomWeights& weights) {
    const std::string prefix = "vision_tower.vision_model.";
    weights.values[prefix + "embeddings.class_embedding"] = Array({hidden}, 0.3F);
    weights.matrix(prefix + "embeddings.patch_embedding", {hidden, 3, 8, 8});
    weights.matrix(prefix + "embeddings.position_embedding", {10, hidden});
    weights.norm(prefix + "pre_layrnorm");
    weights.norm(prefix + "post_layernorm");
    for (int i = 0; i < layers; ++i) {
        const std::string layer = prefix + "encoder.layers." + std::to_string(i) + ".";
        for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"}) weights.linear(layer + "self_attn." + name, hidden, hidden);
        weights.linear(layer + "mlp.fc1", mlp, hidden);
        weights.linear(layer + "mlp.fc2", hidden, mlp);
        weights.norm(layer + "layer_norm1");
        weights.norm(layer + "layer_norm2");
    }
    weights.linear("multi_modal_projector.linear_1", hidden, hidden);
    weights.linear("multi_modal_projector.linear_2", hidden, hidden);
}

json textConfig() {
    return {{"model_type", "llama"},  {"vocab_size", words},        {"hidden_size", hidden},
            {"num_hidden_layers", layers}, {"num_attention_heads", 3}, {"num_key_value_heads", 3},
            {"intermediate_size", mlp}, {"rms_norm_eps", 1e-6},     {"max_position_embeddings", 128},
            {"tie_word_embeddings", false}};
}

std::shared_ptr<const Model> loaded(const json& config, const Values& values) {
    at::set_num_threads(1);
    const auto folder = newFolder();
    std::ofstream(folder / "config.json") << config.dump(2);
    std::vector<SafetensorsEntry> entries;
    for (const auto& [name, array] : values)
        entries.push_back(SafetensorsEntry::fromBytes(name, Dtype::F32, array.shape, std::as_bytes(std::span(array.values))));
    writeSafetensors(folder / "model.safetensors", std::move(entries), {{"format", "pt"}});
    LoadOptions options;
    options.device = "cpu";
    auto model = openModel(makeCatalog(), folder.string(), options);
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    return model;
}

json llamaConfig() {
    json config = textConfig();
    config["architectures"] = {"LlamaForCausalLM"};
    return config;
}

std::shared_ptr<const ModelInput> encoded(const Model& model, std::vector<SafetensorsEntry> entries) {
    const auto folder = newFolder();
    writeSafetensors(folder / "input.safetensors", std::move(entries), {});
    UserInput user;
    user.tensors = folder / "input.safetensors";
    auto input = model.encode(user);
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    return input;
}

SafetensorsEntry idsEntry(const std::vector<std::int64_t>& ids) {
    return SafetensorsEntry::fromBytes("input_ids", Dtype::I64, {1, static_cast<std::int64_t>(ids.size())},
                                       std::as_bytes(std::span(ids)));
}

}  // namespace

std::shared_ptr<const Model> loadTinyLlama(unsigned seed) {
    RandomWeights weights(seed);
    addLlama(weights, "model.", "lm_head");
    return loaded(llamaConfig(), weights.values);
}

std::shared_ptr<const Model> loadSinkLlama(int dimension, unsigned seed) {
    RandomWeights weights(seed);
    addLlama(weights, "model.", "lm_head");
    // Id 0 carries the mark, which keys see; all queries come from another dimension, in which all tokens are alike.
    const int common = (dimension + 1) % static_cast<int>(hidden);
    for (std::int64_t word = 0; word < words; ++word) {
        weights.values["model.embed_tokens.weight"].at(word, dimension) = word == 0 ? 60.0F : 0.0F;
        weights.values["model.embed_tokens.weight"].at(word, common) = 1;
    }
    for (int i = 0; i < layers; ++i) {
        const std::string layer = "model.layers." + std::to_string(i) + ".";
        Array& key = weights.values[layer + "self_attn.k_proj.weight"];
        Array& query = weights.values[layer + "self_attn.q_proj.weight"];
        for (float& value : query.values) value *= 0.1F;
        for (float& value : key.values) value *= 0.1F;
        // The slowest turn of the rotary embedding, so that the distance hardly matters.
        for (std::int64_t head = 0; head < 3; ++head) {
            key.at(head * 8 + 3, dimension) = 4;
            query.at(head * 8 + 3, common) = 2;
        }
        // Nothing else writes into the dimension.
        for (const char* name : {"self_attn.o_proj.weight", "mlp.down_proj.weight"}) {
            Array& out = weights.values[layer + name];
            for (std::int64_t k = 0; k < out.size(1); ++k) out.at(dimension, k) = 0;
        }
    }
    return loaded(llamaConfig(), weights.values);
}

std::shared_ptr<const Model> loadTinyLlava(unsigned seed) {
    RandomWeights weights(seed);
    addLlama(weights, "language_model.model.", "language_model.lm_head");
    addTower(weights);
    const json vision = {{"model_type", "clip_vision_model"}, {"hidden_size", hidden}, {"intermediate_size", mlp},
                         {"num_hidden_layers", layers}, {"num_attention_heads", 3}, {"image_size", 24},
                         {"patch_size", 8}, {"num_channels", 3}, {"hidden_act", "quick_gelu"}, {"projection_dim", hidden}};
    return loaded({{"model_type", "llava"}, {"architectures", {"LlavaForConditionalGeneration"}},
                   {"text_config", textConfig()}, {"vision_config", vision}, {"image_token_index", imageToken},
                   {"vision_feature_layer", -2}, {"vision_feature_select_strategy", "default"},
                   {"projector_hidden_act", "gelu"}},
                  weights.values);
}

std::shared_ptr<const ModelInput> idsInput(const Model& model, const std::vector<std::int64_t>& ids) {
    return encoded(model, {idsEntry(ids)});
}

std::shared_ptr<const ModelInput> llavaInput(const Model& model, unsigned seed) {
    std::vector<std::int64_t> ids{1, 5};
    ids.insert(ids.end(), 9, imageToken);
    ids.insert(ids.end(), {7, 8, 3, 11});
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> pixels(3 * 24 * 24);
    for (float& value : pixels) value = normal(random);
    std::vector<SafetensorsEntry> entries{idsEntry(ids)};
    entries.push_back(SafetensorsEntry::fromBytes("pixel_values", Dtype::F32, {1, 3, 24, 24}, std::as_bytes(std::span(pixels))));
    return encoded(model, std::move(entries));
}

AnswerContext::AnswerContext(std::shared_ptr<const Model> model, std::shared_ptr<const ModelInput> input,
                             const Needs& needs, int newTokens, EditPlan edits)
    : m_model(std::move(model)), m_input(std::move(input)), m_edits(std::move(edits)) {
    GenerateSpec spec;
    spec.maxNewTokens = newTokens;
    spec.capture = needs.capture;
    spec.rows = RecordedRows::All;
    spec.edits = m_edits;
    m_answer = generate(*m_model, *m_input, spec);
}

RunSpec AnswerContext::baseSpec() const {
    RunSpec spec;
    spec.edits = m_edits;
    return spec;
}

std::vector<Finding> analyseAnswer(const std::string& id, const std::shared_ptr<const Model>& model,
                                   const std::shared_ptr<const ModelInput>& input, int newTokens,
                                   const nlohmann::json& params, const EditPlan& edits) {
    static const Catalog catalog = makeCatalog();
    const AnalysisEntry& entry = catalog.analyses.get(id);
    const nlohmann::json checked = checkedParams(entry.info, params);
    AnswerContext context(model, input, entry.needs(model->spec(), checked), newTokens, edits);
    return entry.compute(context, checked);
}

}  // namespace fovea::test
