#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "fovea/image_layout.h"

namespace fovea {

/// The parsed files that describe how a vision-language model takes pictures; objects, or null when missing.
struct VisualFiles {
    nlohmann::json image;  ///< preprocessor_config.json, or `image_processor` of processor_config.json
    std::string imageFile = "preprocessor_config.json";
    nlohmann::json video;  ///< video_preprocessor_config.json, or `video_processor`
    std::string videoFile = "video_preprocessor_config.json";
    nlohmann::json processor;  ///< processor_config.json: patch_size, image_seq_len, ...
    std::string processorFile = "processor_config.json";
    nlohmann::json tokenizer;  ///< tokenizer_config.json: names of the image tokens
    nlohmann::json config;     ///< config.json
    std::string configFile = "config.json";
};

/// A whole number of processor_config.json, else `fallback`; Error outside least..most.
int processorNumber(const VisualFiles& files, const char* key, int fallback, int most = 1 << 20,
                    int least = 1);
/// A whole number of config.json (of `section` in it where that is not empty), else `fallback`.
int configNumber(const VisualFiles& files, const char* section, const char* key, int fallback,
                 int most = 1 << 20);
/// vision_config.patch_size of config.json, else `fallback`.
int towerPatchSize(const VisualFiles& files, int fallback);
/// A text of processor_config.json, else of config.json, else `fallback`.
std::string settingText(const VisualFiles& files, const char* key, std::string fallback);
/// A special token by its name in tokenizer_config.json ("image_token", ...), else `fallback`.
std::string tokenNamed(const VisualFiles& files, const char* key, std::string fallback);

}  // namespace fovea
