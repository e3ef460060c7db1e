#include "analyses/tiny_models.h"

#include <ATen/Parallel.h>

#include <atomic>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "io/safetensors.h"

namespace fovea::test {
namespace {

using nlohmann::json;
using Shapes = std::map<std::string, std::vector<std::int64_t>>;

constexpr std::int64_t hidden = 24, mlp = 32, layers = 3, patch = 8;

void linear(Shapes& shapes, const std::string& name, std::int64_t out, std::int64_t in) {
    shapes[name + ".weight"] = {out, in};
    shapes[name + ".bias"] = {out};
}

void norm(Shapes& shapes, const std::string& name) {
    shapes[name + ".weight"] = {hidden};
    shapes[name + ".bias"] = {hidden};
}

void vitEmbeddings(Shapes& shapes, const std::string& prefix, std::int64_t patches) {
    shapes[prefix + "embeddings.cls_token"] = {1, 1, hidden};
    shapes[prefix + "embeddings.position_embeddings"] = {1, patches + 1, hidden};
    shapes[prefix + "embeddings.patch_embeddings.projection.weight"] = {hidden, 3, patch, patch};
    shapes[prefix + "embeddings.patch_embeddings.projection.bias"] = {hidden};
}

void selfAttention(Shapes& shapes, const std::string& layer) {
    for (const char* name : {"query", "key", "value"})
        linear(shapes, layer + "attention.attention." + name, hidden, hidden);
    linear(shapes, layer + "attention.output.dense", hidden, hidden);
}

Shapes vitShapes(const std::string& prefix) {
    Shapes shapes;
    vitEmbeddings(shapes, prefix, 15);
    for (int i = 0; i < layers; ++i) {
        const std::string layer = prefix + "encoder.layer." + std::to_string(i) + ".";
        selfAttention(shapes, layer);
        linear(shapes, layer + "intermediate.dense", mlp, hidden);
        linear(shapes, layer + "output.dense", hidden, mlp);
        norm(shapes, layer + "layernorm_before");
        norm(shapes, layer + "layernorm_after");
    }
    norm(shapes, prefix + "layernorm");
    return shapes;
}

Shapes registerShapes() {
    Shapes shapes;
    vitEmbeddings(shapes, "", 9);
    shapes["embeddings.mask_token"] = {1, hidden};
    shapes["embeddings.register_tokens"] = {1, 4, hidden};
    for (int i = 0; i < layers; ++i) {
        const std::string layer = "encoder.layer." + std::to_string(i) + ".";
        selfAttention(shapes, layer);
        linear(shapes, layer + "mlp.fc1", 2 * hidden, hidden);
        linear(shapes, layer + "mlp.fc2", hidden, 2 * hidden);
        for (const char* name : {"norm1", "norm2"}) norm(shapes, layer + name);
        for (const char* name : {"layer_scale1", "layer_scale2"})
            shapes[layer + name + ".lambda1"] = {hidden};
    }
    norm(shapes, "layernorm");
    return shapes;
}

Shapes poolingShapes() {
    const std::string prefix = "vision_model.";
    Shapes shapes;
    shapes[prefix + "embeddings.patch_embedding.weight"] = {hidden, 3, patch, patch};
    shapes[prefix + "embeddings.patch_embedding.bias"] = {hidden};
    shapes[prefix + "embeddings.position_embedding.weight"] = {9, hidden};
    for (int i = 0; i < layers; ++i) {
        const std::string layer = prefix + "encoder.layers." + std::to_string(i) + ".";
        for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"})
            linear(shapes, layer + "self_attn." + name, hidden, hidden);
        linear(shapes, layer + "mlp.fc1", mlp, hidden);
        linear(shapes, layer + "mlp.fc2", hidden, mlp);
        for (const char* name : {"layer_norm1", "layer_norm2"}) norm(shapes, layer + name);
    }
    norm(shapes, prefix + "post_layernorm");
    shapes[prefix + "head.probe"] = {1, 1, hidden};
    shapes[prefix + "head.attention.in_proj_weight"] = {3 * hidden, hidden};
    shapes[prefix + "head.attention.in_proj_bias"] = {3 * hidden};
    linear(shapes, prefix + "head.attention.out_proj", hidden, hidden);
    norm(shapes, prefix + "head.layernorm");
    linear(shapes, prefix + "head.mlp.fc1", mlp, hidden);
    linear(shapes, prefix + "head.mlp.fc2", hidden, mlp);
    return shapes;
}

// Norm weights and layer scales near 1, biases small, everything else 1 / sqrt(fan-in).
std::vector<float> randomValues(const std::string& name, const std::vector<std::int64_t>& shape,
                                std::mt19937& random) {
    std::normal_distribution<float> normal;
    const bool bias = name.ends_with("bias"), gain = shape.size() == 1 && !bias;
    const std::int64_t fanIn = shape.size() > 1 && shape[0] > 1 ? Array::count(shape) / shape[0] : 4;
    const float scale = bias || gain ? 0.1F : 1 / std::sqrt(static_cast<float>(fanIn));
    std::vector<float> values(static_cast<std::size_t>(Array::count(shape)));
    for (float& value : values) value = (gain ? 1.0F : 0.0F) + scale * normal(random);
    return values;
}

json configOf(TinyModel kind) {
    json config = {{"hidden_size", hidden},    {"num_hidden_layers", layers}, {"num_attention_heads", 3},
                   {"intermediate_size", mlp}, {"patch_size", patch},         {"num_channels", 3},
                   {"hidden_act", "gelu"},     {"layer_norm_eps", 1e-6}};
    if (kind == TinyModel::Registers) {
        config["model_type"] = "dinov2_with_registers";
        config["architectures"] = {"Dinov2WithRegistersModel"};
        config["num_register_tokens"] = 4;
        config["mlp_ratio"] = 2;
        config["image_size"] = 24;
    } else if (kind == TinyModel::Pooling) {
        config["model_type"] = "siglip_vision_model";
        config["architectures"] = {"SiglipVisionModel"};
        config["image_size"] = 24;
    } else {
        const bool classes = kind == TinyModel::Classifier;
        config["model_type"] = "vit";
        config["architectures"] = {classes ? "ViTForImageClassification" : "ViTModel"};
        config["image_size"] = {24, 40};
        if (classes)
            config["id2label"] = {
                {"0", "tench"}, {"1", "Tabby Cat"}, {"2", "crane"}, {"3", "star"}, {"4", "moon"}};
    }
    return config;
}

json processorOf(TinyModel kind) {
    const bool wide = kind == TinyModel::Classifier || kind == TinyModel::Bare;
    json config = {{"image_processor_type", "ViTImageProcessor"},
                   {"do_resize", true},
                   {"resample", 2},
                   {"size", {{"height", 24}, {"width", wide ? 40 : 24}}},
                   {"do_rescale", true},
                   {"rescale_factor", 1.0 / 255},
                   {"do_normalize", true},
                   {"image_mean", {0.5, 0.4, 0.3}},
                   {"image_std", {0.5, 0.25, 0.2}}};
    if (kind == TinyModel::Registers) {
        // Resize and centre crop: part of the picture is read by no token.
        config["image_processor_type"] = "BitImageProcessor";
        config["size"] = {{"shortest_edge", 28}};
        config["do_center_crop"] = true;
        config["crop_size"] = {{"height", 24}, {"width", 24}};
    }
    return config;
}

}  // namespace

TinyFolder::TinyFolder(TinyModel kind, unsigned seed) {
    static std::atomic<int> count{0};
    std::random_device device;
    m_path = std::filesystem::temp_directory_path() /
             ("fovea-tiny-" + std::to_string(device()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(m_path);
    std::ofstream(m_path / "config.json") << configOf(kind).dump(2);
    std::ofstream(m_path / "preprocessor_config.json") << processorOf(kind).dump(2);
    Shapes shapes = kind == TinyModel::Registers ? registerShapes()
                    : kind == TinyModel::Pooling ? poolingShapes()
                                                 : vitShapes(kind == TinyModel::Classifier ? "vit." : "");
    if (kind == TinyModel::Classifier) linear(shapes, "classifier", 5, hidden);
    if (kind == TinyModel::Bare) linear(shapes, "pooler.dense", hidden, hidden);
    std::mt19937 random(seed);
    std::map<std::string, std::vector<float>> values;
    std::vector<SafetensorsEntry> entries;
    for (const auto& [name, shape] : shapes) {
        values[name] = randomValues(name, shape, random);
        entries.push_back(
            SafetensorsEntry::fromBytes(name, Dtype::F32, shape, std::as_bytes(std::span(values[name]))));
    }
    writeSafetensors(m_path / "model.safetensors", std::move(entries), {{"format", "pt"}});
}

TinyFolder::~TinyFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(m_path, ignored);
}

std::shared_ptr<const Model> loadTiny(TinyModel kind, unsigned seed, const std::string& dtype) {
    at::set_num_threads(1);  // waiting for each other costs more than such small tensors
    const TinyFolder folder(kind, seed);
    LoadOptions options;
    options.device = "cpu";
    options.dtype = dtype;
    return openModel(makeCatalog(), folder.path().string(), options);
}

Pixels tinyPicture(int width, int height, unsigned seed) {
    Pixels picture(width, height);
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
            for (int c = 0; c < 3; ++c) {
                const double wave =
                    std::sin(0.11 * x * (c + 1) + seed) * std::cos(0.07 * y * (3 - c) + 2 * c);
                picture.at(x, y)[c] = static_cast<std::uint8_t>(std::lround(127.5 + 120 * wave));
            }
    return picture;
}

}  // namespace fovea::test
