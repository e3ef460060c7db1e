#pragma once

#include <string>
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
    /// Of each picture of the token map that is a frame of a film its name by when it was taken, "frame 1.5 s", or "frame 3"
    /// (counted from 0) of a film without a rate; "frames 0.0–0.5 s" of those that are read as one; empty for a still.
    std::vector<std::string> frames;
};

}  // namespace fovea
