// Vision transformers whose files do not say their sizes: timm exports and the original DINO and DINOv2
// checkpoints.
#include <algorithm>
#include <cmath>
#include <set>

#include "fovea/error.h"
#include "io/hf_config.h"
#include "io/tensor_info.h"

namespace fovea {
namespace {

using nlohmann::json;
using Shapes = std::map<std::string, std::vector<std::int64_t>>;

const std::vector<std::int64_t>* find(const Shapes& shapes, const std::string& name) {
    const auto found = shapes.find(name);
    return found == shapes.end() ? nullptr : &found->second;
}

/// What precedes the usual names: nothing, or the name of the module they were trained in ("backbone.").
std::string prefixOf(const Shapes& shapes, const std::string& source) {
    constexpr std::string_view key = "patch_embed.proj.weight";
    for (const auto& [name, shape] : shapes)
        if (name.ends_with(key) && shape.size() == 4) return name.substr(0, name.size() - key.size());
    throw Error(source + ": the tensor names are none that Fovea recognises without a config.json",
                "Lone weight files can be vision transformers from timm, DINO or DINOv2; for others open the "
                "model's folder.");
}

/// One more than the largest block number, so that a block with a part missing still counts.
std::int64_t blockCount(const Shapes& shapes, const std::string& prefix) {
    const std::string start = prefix + "blocks.";
    std::int64_t count = 0;
    for (auto it = shapes.lower_bound(start); it != shapes.end() && it->first.starts_with(start); ++it) {
        const std::string_view rest = std::string_view(it->first).substr(start.size());
        const std::string digits(rest.substr(0, rest.find('.')));
        const bool number = !digits.empty() && digits.size() <= 4 &&
                            digits.find_first_not_of("0123456789") == std::string::npos;
        if (number) count = std::max<std::int64_t>(count, std::stoll(digits) + 1);
    }
    return count;
}

/// Heads are not stored. These models have heads of 64 channels, but for the largest of each line (SO400M,
/// huge, giant, gigantic: 16 heads; DINOv2's giant has 64 again) and timm's test models.
std::int64_t headCount(std::int64_t hidden, std::string_view architecture) {
    if (architecture.starts_with("test_vit") && hidden % 32 == 0) return hidden / 32;
    for (const std::int64_t width : {1152, 1280, 1408, 1664})
        if (hidden == width) return 16;
    return hidden % 64 == 0 ? hidden / 64 : 1;
}

json describe(const Shapes& shapes, std::string_view architecture, const std::string& source) {
    const std::string prefix = prefixOf(shapes, source);
    const auto get = [&](const std::string& name) { return find(shapes, prefix + name); };
    const auto require = [&](const std::string& name, std::size_t rank) -> const std::vector<std::int64_t>& {
        const auto* shape = get(name);
        if (shape == nullptr)
            throw Error(source + ": expected a tensor \"" + prefix + name +
                        "\" of a vision transformer, found none",
                        "Open a checkpoint of a vision transformer, or put its config.json beside the weights.");
        if (shape->size() != rank)
            throw Error(source + ": tensor \"" + prefix + name + "\": expected " + std::to_string(rank) +
                        " axes, found shape " + shapeText(*shape),
                        "Put the model's config.json beside the weights, or fetch the checkpoint again.");
        return *shape;
    };
    const auto& patch = require("patch_embed.proj.weight", 4);
    const auto& positions = require("pos_embed", 3);
    const std::int64_t layers = blockCount(shapes, prefix);
    if (layers == 0) require("blocks.0.attn.qkv.weight", 2);
    const bool gated = get("blocks.0.mlp.w12.weight") != nullptr;
    const std::int64_t registers = get("reg_token") ? require("reg_token", 3)[1]
                                   : get("register_tokens") ? require("register_tokens", 3)[1]
                                                            : 0;
    const bool layerScale = get("blocks.0.ls1.gamma") != nullptr;
    const std::int64_t hidden = patch[0];
    const auto& inner = require(gated ? "blocks.0.mlp.w12.weight" : "blocks.0.mlp.fc1.weight", 2);
    // timm packs both halves of a gated feed-forward part into fc1.
    const auto* back = get("blocks.0.mlp.fc2.weight");
    const bool packed = !gated && back && back->size() == 2 && inner[0] == 2 * (*back)[1];
    const std::int64_t intermediate = gated || packed ? inner[0] / 2 : inner[0];

    // Position embeddings cover the patches and, unless they come without them, the prefix tokens.
    const std::int64_t prefixTokens = (get("cls_token") ? 1 : 0) + (get("dist_token") ? 1 : 0) + registers;
    std::int64_t grid = 0;
    std::int64_t covered = 0;
    std::set<std::int64_t> options{prefixTokens, prefixTokens - registers, 0};
    for (std::int64_t tokens : options) {
        const std::int64_t patches = positions[1] - tokens;
        const auto side =
            patches > 0 ? static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(patches))))
                        : 0;
        if (side > 0 && side * side == patches) {
            grid = side;
            covered = tokens;
        }
    }
    if (grid == 0)
        throw Error(source + ": tensor \"" + prefix +
                    "pos_embed\": expected positions of a square grid, found shape " + shapeText(positions),
                    "Put the model's config.json beside the weights.");

    const char* type = get("dist_token") ? "deit"
                       : !layerScale     ? "vit"
                       : registers > 0   ? "dinov2_with_registers"
                                         : "dinov2";
    json config = {
        {"model_type", type},
        {"hidden_size", hidden},
        {"num_hidden_layers", layers},
        {"num_attention_heads", headCount(hidden, architecture)},
        {"intermediate_size", intermediate},
        {"mlp_ratio", gated || packed || hidden == 0
                          ? 4.0
                          : static_cast<double>(intermediate) / static_cast<double>(hidden)},
        {"use_swiglu_ffn", gated || packed},
        {"patch_size", patch[2]},
        {"num_channels", patch[1]},
        {"image_size", grid * patch[2]},
        {"layer_norm_eps", 1e-6},
        {"qkv_bias", get("blocks.0.attn.qkv.bias") != nullptr},
        {"num_register_tokens", registers},
        {"key_prefix", prefix},
        {"pos_embed_prefix_tokens", covered},
        {"layer_scale", layerScale},
    };
    if (const auto* head = get("head.weight"); head != nullptr && head->size() == 2)
        config["num_labels"] = (*head)[0];
    return config;
}

}  // namespace

ConfigView configFromTensors(const Shapes& shapes, const std::string& source) {
    return {describe(shapes, "", source), source};
}

ConfigView configFromTimm(const ConfigView& timm, const Shapes& shapes) {
    const std::string architecture = timm.text("architecture", "");
    json config = describe(shapes, architecture, timm.source());
    config["architecture"] = architecture;
    for (const char* key :
         {"pretrained_cfg", "global_pool", "label_names", "label_descriptions", "num_classes", "model_args"})
        if (timm.has(key)) config[key] = timm.json().at(key);
    const auto names = timm.texts("label_names", {});
    for (std::size_t i = 0; i < names.size(); ++i) config["id2label"][std::to_string(i)] = names[i];
    return {std::move(config), timm.source()};
}

}  // namespace fovea
