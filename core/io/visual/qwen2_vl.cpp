// Qwen2-VL and Qwen2.5-VL.
#include <algorithm>
#include <cmath>

#include "io/visual/qwen_vl.h"

namespace fovea {
namespace {

class Qwen2Processor final : public QwenProcessor {
public:
    enum class Timing { None, SecondsPerGrid };
    Qwen2Processor(QwenSettings image, QwenSettings video, LayoutRules layout, Timing timing)
        : QwenProcessor(std::move(image), std::move(video), std::move(layout)), m_timing(timing) {}

protected:
    QwenSize frameSize(const QwenSettings& s, const Pixels& frame, int frames) const override {
        double most = static_cast<double>(s.maxPixels);
        if (s.capFrames) {
            const double total =
                std::floor(static_cast<double>(s.maxVideoTokens) * s.factor() * s.factor() * 0.9);
            const double share = std::floor(total * s.temporalPatch / frames);
            most = std::max(std::min(most, share), std::floor(static_cast<double>(s.minPixels) * 1.05));
        }
        return qwenSize(s, frame.width, frame.height, most);
    }

    void addTiming(VisualInput& input, const VideoTiming& timing, int frames) const override {
        if (m_timing == Timing::None) return;
        double fps = timing.fps > 0 ? timing.fps : 24;
        if (timing.fps > 0 && timing.totalFrames > 0)
            fps *= static_cast<double>(frames) / static_cast<double>(timing.totalFrames);
        input.tensors["second_per_grid_ts"] = {{1}, {static_cast<float>(layout().temporalPatch / fps)}, {}};
    }

private:
    Timing m_timing;
};

}  // namespace

std::unique_ptr<VisualProcessor> makeQwen2Vl(const VisualFiles& files, std::string_view modelType) {
    QwenSettings defaults;
    defaults.pixels =
        visualDefaults("Qwen2VLImageProcessor", 0, Resample::Bicubic, kClipMean, kClipDeviation);
    defaults.minPixels = 56 * 56;
    defaults.maxPixels = 28 * 28 * 1280;
    const ProcessorKeys keys(objectOf(files.image, files.imageFile), files.imageFile);
    checkClass(keys, "Qwen2VLImageProcessor");
    const QwenSettings image = readQwen(keys, defaults);

    QwenSettings clip = defaults;
    clip.pixels.className = "Qwen2VLVideoProcessor";
    clip.pixels.backend = ImageProcessor::Settings::Backend::Torchvision;
    clip.minPixels = 128 * 28 * 28;
    clip.maxPixels = 28 * 28 * 768;
    clip.maxVideoTokens = 128000;
    const ProcessorKeys videoKeys(objectOf(files.video, files.videoFile), files.videoFile);
    const QwenSettings video = readQwen(videoKeys, clip);

    LayoutRules layout;
    layout.scheme = LayoutRules::Scheme::Qwen;
    layout.imageSlot = layout.imageToken = tokenNamed(files, "image_token", "<|image_pad|>");
    layout.videoSlot = layout.videoToken = tokenNamed(files, "video_token", "<|video_pad|>");
    const bool seconds = modelType == "qwen2_5_vl";
    return std::make_unique<Qwen2Processor>(
        image, video, std::move(layout),
        seconds ? Qwen2Processor::Timing::SecondsPerGrid : Qwen2Processor::Timing::None);
}

}  // namespace fovea
