// Qwen3-VL: Qwen2-VL's image processor with other numbers, and videos limited by all their pixels together.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "fovea/error.h"
#include "io/visual/qwen_vl.h"

namespace fovea {
namespace {

class Qwen3Processor final : public QwenProcessor {
public:
    using QwenProcessor::QwenProcessor;

protected:
    QwenSize frameSize(const QwenSettings& s, const Pixels& frame, int frames) const override {
        const double factor = s.factor();
        double most = static_cast<double>(s.maxPixels);
        if (s.capFrames) {
            const double cap = static_cast<double>(s.maxVideoTokens) * factor * factor;
            const double each = std::max(std::min(cap, std::floor(most / frames)),
                                         std::floor(static_cast<double>(s.minPixels) * 1.05));
            most = each * frames;
        }
        if (frames < s.temporalPatch) {
            throw Error(fmt::format("video: expected at least {} frames, found {}", s.temporalPatch, frames),
                        "give more frames, or one image");
        }
        double width = frame.width;
        double height = frame.height;
        if (height < factor || width < factor) {
            const double grow = std::max(factor / height, factor / width);
            height = std::floor(height * grow);
            width = std::floor(width * grow);
        }
        return sizeOfVolume(s, width, height, frames, most);
    }

private:
    // smart_resize over time, rows and columns.
    static QwenSize sizeOfVolume(const QwenSettings& s, double width, double height, double frames,
                                 double most) {
        if (std::max(height, width) / std::min(height, width) > 200) {
            throw Error(fmt::format("video of {:.0f} x {:.0f}: expected an aspect ratio of at most 200",
                                    width, height),
                        "crop the frames to a less extreme shape");
        }
        const double factor = s.factor();
        QwenSize size{std::nearbyint(width / factor) * factor, std::nearbyint(height / factor) * factor};
        const double rounded = std::nearbyint(frames / s.temporalPatch) * s.temporalPatch;
        const double volume = rounded * size.height * size.width;
        if (volume > most) {
            const double shrink = std::sqrt(frames * height * width / most);
            size.height = std::max(factor, std::floor(height / shrink / factor) * factor);
            size.width = std::max(factor, std::floor(width / shrink / factor) * factor);
        } else if (volume < static_cast<double>(s.minPixels)) {
            const double grow = std::sqrt(static_cast<double>(s.minPixels) / (frames * height * width));
            size.height = std::ceil(height * grow / factor) * factor;
            size.width = std::ceil(width * grow / factor) * factor;
        }
        return size;
    }
};

}  // namespace

std::unique_ptr<VisualProcessor> makeQwen3Vl(const VisualFiles& files) {
    QwenSettings defaults;
    defaults.pixels =
        visualDefaults("Qwen2VLImageProcessor", 0, Resample::Bicubic, kClipMean, kClipDeviation);
    defaults.minPixels = 56 * 56;
    defaults.maxPixels = 28 * 28 * 1280;
    defaults.patch = 14;
    if (files.image.is_null()) {  // what published checkpoints have
        defaults.patch = 16;
        defaults.minPixels = 65536;
        defaults.maxPixels = 16777216;
        defaults.pixels.mean = defaults.pixels.deviation = kHalf;
    }
    const ProcessorKeys keys(objectOf(files.image, files.imageFile), files.imageFile);
    checkClass(keys, "Qwen2VLImageProcessor");
    const QwenSettings image = readQwen(keys, defaults);

    QwenSettings clip;
    clip.pixels = visualDefaults("Qwen3VLVideoProcessor", 0, Resample::Bicubic, kHalf, kHalf);
    clip.pixels.backend = ImageProcessor::Settings::Backend::Torchvision;
    clip.minPixels = 128 * 32 * 32;
    clip.maxPixels = 32 * 32 * 768;
    clip.maxVideoTokens = 768;
    clip.patch = image.patch;
    if (!files.video.is_null()) clip.patch = 16;
    const ProcessorKeys videoKeys(objectOf(files.video, files.videoFile), files.videoFile);
    const QwenSettings video = readQwen(videoKeys, clip, QwenLimits::SizeOnly);

    LayoutRules layout;
    layout.scheme = LayoutRules::Scheme::Qwen3;
    layout.imageSlot = layout.imageToken = tokenNamed(files, "image_token", "<|image_pad|>");
    layout.videoSlot = layout.videoToken = tokenNamed(files, "video_token", "<|video_pad|>");
    layout.begin = tokenNamed(files, "vision_start_token", "<|vision_start|>");
    layout.end = tokenNamed(files, "vision_end_token", "<|vision_end|>");
    return std::make_unique<Qwen3Processor>(image, video, std::move(layout));
}

}  // namespace fovea
