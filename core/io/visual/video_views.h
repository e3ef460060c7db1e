#pragma once

#include "io/visual/canvas.h"
#include "io/visual/visual_settings.h"

namespace fovea {

/// Settings of a video processor that treats every frame alike, over the given defaults (torchvision's
/// arithmetic).
ImageProcessor::Settings readVideo(const VisualFiles& files, ImageProcessor::Settings defaults);
/// All frames through a processor; the values are [frames, 3, height, width].
struct FrameViews {
    HostTensor values;
    VisionImage video;
};
FrameViews frameViews(const ImageProcessor& pixels, std::span<const Pixels> frames,
                      const VideoTiming& timing);

}  // namespace fovea
