#include <string_view>

#include "fovea/error.h"
#include "io/hf_config.h"
#include "io/json_file.h"

namespace {

template <typename Action>
void attempt(Action action) {
    try {
        action();
    } catch (const fovea::Error&) {
    }
}

void readAll(const fovea::ConfigView& config) {
    for (const char* key :
         {"hidden_size", "image_size", "layer_norm_eps", "qkv_bias", "hidden_act|act", "sizes"}) {
        attempt([&] { config.integer(key, 1); });
        attempt([&] { config.number(key, 1); });
        attempt([&] { config.boolean(key, true); });
        attempt([&] { config.text(key, ""); });
        attempt([&] { config.integers(key, {}); });
        attempt([&] { config.numbers(key, {}); });
        attempt([&] { config.texts(key, {}); });
        attempt([&] { config.size(key, 1, {1, 4096}); });
    }
    attempt([&] { config.labels(); });
    attempt([&] { config.labelCount(2); });
    for (auto format :
         {fovea::ModelFormat::Transformers, fovea::ModelFormat::Timm, fovea::ModelFormat::DiffusersComponent})
        attempt([&] { fovea::identifyConfig(config, format); });
    attempt([&] {
        fovea::configFromTimm(config, {{"patch_embed.proj.weight", {8, 3, 2, 2}},
                                       {"pos_embed", {1, 5, 8}},
                                       {"cls_token", {1, 1, 8}},
                                       {"blocks.0.attn.qkv.weight", {24, 8}},
                                       {"blocks.0.mlp.fc1.weight", {32, 8}}});
    });
}

}  // namespace

/// Any text as a config.json, read in every way a family may.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    attempt([&] {
        const std::string_view text(reinterpret_cast<const char*>(data), size);
        const nlohmann::json json = fovea::parseJson(text, "config.json");
        if (!json.is_object()) return;
        const fovea::ConfigView config(json, "config.json");
        readAll(config);
        readAll(config.section("vision_config"));
    });
    return 0;
}
