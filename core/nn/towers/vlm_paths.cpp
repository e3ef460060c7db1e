#include "nn/towers/tower_specs.h"

namespace fovea {

VlmPaths llavaPaths(const ModelSource& source) {
    VlmPaths paths;
    const bool inMemory = source.hasPrefix("model.vision_tower.");
    paths.root = inMemory ? "model." : "";
    paths.vision = paths.root + "vision_tower.";
    if (source.hasPrefix(paths.vision + "vision_model.")) paths.vision += "vision_model.";
    paths.projector = paths.root + "multi_modal_projector.";
    paths.text = inMemory ? "model.language_model." : "language_model.model.";
    paths.head = inMemory ? "lm_head" : "language_model.lm_head";
    return paths;
}

VlmPaths qwenPaths(const ModelSource& source) {
    const bool inMemory = source.hasPrefix("model.visual.");
    VlmPaths paths;
    paths.root = inMemory ? "model." : "";
    paths.vision = paths.root + "visual.";
    paths.projector = paths.vision + "merger.";
    paths.text = inMemory ? "model.language_model." : "model.";
    paths.head = "lm_head";
    return paths;
}

VlmPaths ideficsPaths(const ModelSource& source) {
    VlmPaths paths;
    paths.root = source.hasPrefix("model.vision_model.") ? "model." : "";
    paths.vision = paths.root + "vision_model.";
    paths.projector = paths.root + "connector.";
    paths.text = paths.root + "text_model.";
    paths.head = "lm_head";
    return paths;
}

}  // namespace fovea
