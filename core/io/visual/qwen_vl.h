#pragma once

#include <utility>

#include "fovea/image_processor.h"
#include "io/visual/families.h"
#include "io/visual/visual_settings.h"

namespace fovea {

/// What the Qwen families' image and video processors have in common: pictures of any shape, resized to whole
/// blocks of patches within limits on the number of pixels.
struct QwenSettings {
    ImageProcessor::Settings pixels;
    std::int64_t minPixels = 0;
    std::int64_t maxPixels = 0;
    int patch = 14;
    int temporalPatch = 2;
    int merge = 2;
    bool capFrames = false;  ///< videos: cap_pixels_per_frame
    std::int64_t maxVideoTokens = 0;

    int factor() const { return patch * merge; }
};

/// The smart_resize of the reference: the nearest size in whole blocks (Python's rounding), scaled into the
/// limits. Throws Error for an aspect ratio above 200.
struct QwenSize {
    double width = 0;
    double height = 0;
};
QwenSize qwenSize(const QwenSettings& settings, double width, double height, double maxPixels);

/// Whether a class also reads min_pixels and max_pixels.
enum class QwenLimits { SizeOrKeys, SizeOnly };

/// Reads the keys over the given defaults.
QwenSettings readQwen(const ProcessorKeys& keys, QwenSettings defaults,
                      QwenLimits limits = QwenLimits::SizeOrKeys);

/// Qwen2-VL and its successors.
class QwenProcessor : public VisualProcessor {
public:
    QwenProcessor(QwenSettings image, QwenSettings video, LayoutRules layout);

    VisualInput process(std::span<const Pixels> images) const override;
    VisualInput processVideo(std::span<const Pixels> frames, const VideoTiming& timing) const override;
    std::string describe() const override;

protected:
    /// The size of the frames of a video.
    virtual QwenSize frameSize(const QwenSettings& settings, const Pixels& frame, int frames) const = 0;
    /// Tensors beside the patches.
    virtual void addTiming(VisualInput&, const VideoTiming&, int /*frames*/) const {}

private:
    QwenSettings m_image;
    QwenSettings m_video;
};

}  // namespace fovea
