#pragma once

#include <vector>

#include "fovea/rect.h"
#include "fovea/vision_image.h"

namespace fovea {

/// What an encoded input keeps of its pictures as the model saw them; ModelInput::seen has the first view of each alone.
class SeenPictures {
public:
    virtual ~SeenPictures() = default;

    std::vector<VisionImage> pictures;       ///< each with all its crops, in the order of the prompt
    /// Of each picture the parts within which windowed attention sites look (AttentionSite::layout), in pixels of the
    /// upright original; empty where the vision tower has no windows.
    std::vector<std::vector<Rect>> windows;
};

}  // namespace fovea
