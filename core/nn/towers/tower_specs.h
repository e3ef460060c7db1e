#pragma once

#include <string>

#include "nn/model_source.h"
#include "nn/towers/picture_tower.h"
#include "nn/towers/qwen_tower.h"

namespace fovea {

/// Where the parts of a vision-language model lie in its files; each ends with a dot but `head`.
struct VlmPaths {
    std::string root;       ///< of what lies beside the towers (`image_newline`)
    std::string vision;     ///< of the vision tower's own names
    std::string projector;  ///< of the projector or connector
    std::string text;       ///< of the decoder: TEXTlayers.0. ...
    std::string head;       ///< of the language head's matrix, without ".weight"
};

/// The three spellings of LLaVA's kind: hub files (`vision_tower.vision_model.`, `language_model.model.`), those
/// of transformers 5 (`vision_tower.`), and its names in memory (`model.vision_tower.`, `model.language_model.`).
VlmPaths llavaPaths(const ModelSource& source);
/// Qwen: hub files (`visual.`, `model.`) and names in memory (`model.visual.`, `model.language_model.`).
VlmPaths qwenPaths(const ModelSource& source);
/// Idefics3 and SmolVLM: `model.vision_model.`, `model.connector.`, `model.text_model.`.
VlmPaths ideficsPaths(const ModelSource& source);

/// CLIP's or SigLIP's tower by the `model_type` of a vision configuration (`fallback` where it names none);
/// throws Error (Input) for another.
VisionTransformerSpec clipOrSiglip(const ConfigView& vision, const std::string& prefix, const std::string& fallback);

/// LLaVA, LLaVA-NeXT and LLaVA-OneVision: hidden states of chosen layers, two matrices.
struct LlavaForm {
    std::string towerType;  ///< of a vision configuration without model_type
    int layer = -2;         ///< default of vision_feature_layer
    std::string strategy;   ///< default of vision_feature_select_strategy
};
PictureTowerSpec llavaTower(const ConfigView& config, const VlmPaths& paths, std::int64_t textHidden,
                            const LlavaForm& form);
PictureTowerSpec paligemmaTower(const ConfigView& config, const VlmPaths& paths, std::int64_t textHidden);
PictureTowerSpec gemma3Tower(const ConfigView& config, const VlmPaths& paths, std::int64_t textHidden);
PictureTowerSpec internvlTower(const ConfigView& config, const VlmPaths& paths, std::int64_t textHidden);
/// Idefics3 and SmolVLM.
PictureTowerSpec ideficsTower(const ConfigView& config, const VlmPaths& paths, std::int64_t textHidden);

QwenTowerSpec qwen2Tower(const ConfigView& vision, const std::string& prefix);
QwenTowerSpec qwen25Tower(const ConfigView& vision, const std::string& prefix);
QwenTowerSpec qwen3Tower(const ConfigView& vision, const std::string& prefix);

}  // namespace fovea
