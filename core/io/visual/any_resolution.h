#pragma once

#include <string>
#include <vector>

#include "io/visual/canvas.h"
#include "io/visual/visual_settings.h"

namespace fovea {

/// LLaVA-NeXT and LLaVA-OneVision: the grid of crops that fits a picture best, the whole picture before it.
struct AnyResolution {
    struct Size {
        int height = 0;
        int width = 0;
    };
    ImageProcessor pixels;  ///< of every view
    std::vector<Size> pinpoints;
    Size base;     ///< of the whole picture
    int tile = 0;  ///< side of a crop, before the processor

    /// One line for people.
    std::string describe() const;
};

/// Reads size, crop_size and image_grid_pinpoints over the given defaults.
AnyResolution readAnyResolution(const ProcessorKeys& keys, ImageProcessor::Settings defaults,
                                std::vector<AnyResolution::Size> pinpoints);
/// Adds the whole picture and its crops to the views.
void addAnyResolution(const AnyResolution& rules, const Pixels& picture, ViewList& views);
/// image_sizes: [images, 2] with height and width.
HostTensor imageSizes(std::span<const Pixels> images);

}  // namespace fovea
