// LLaVA-OneVision: any resolution for one picture; several pictures in one view each; videos.
#include <algorithm>
#include <charconv>
#include <fmt/format.h>

#include "fovea/error.h"
#include "io/visual/any_resolution.h"
#include "io/visual/families.h"
#include "io/visual/video_views.h"

namespace fovea {
namespace {

class LlavaOnevisionProcessor final : public VisualProcessor {
public:
    LlavaOnevisionProcessor(AnyResolution rules, ImageProcessor frames, LayoutRules layout)
        : m_rules(std::move(rules)), m_frames(std::move(frames)) {
        m_layout = std::move(layout);
        m_black = blackOf(m_rules.pixels.settings());
        for (std::size_t c = 0; c < 3; ++c) {
            m_mean[c] =
                static_cast<std::uint8_t>(std::clamp(m_rules.pixels.settings().mean[c] * 255.0, 0.0, 255.0));
        }
    }

    VisualInput process(std::span<const Pixels> images) const override {
        checkSomeImages(images);
        ViewList views(m_rules.pixels);
        for (const Pixels& picture : images) {
            if (images.size() == 1) {
                addAnyResolution(m_rules, picture, views);
                continue;
            }
            views.begin(picture);
            const int side = std::max(picture.width, picture.height);
            const Window square{-((side - picture.width) / 2), -((side - picture.height) / 2), side, side};
            views.add(cut(canvasOf(picture), square, m_mean));
        }
        const auto count = static_cast<std::int64_t>(images.size());
        VisualInput out;
        out.tensors["pixel_values"] = views.padded(static_cast<std::int64_t>(views.images()[0].tiles.size()));
        out.tensors["image_sizes"] = imageSizes(images);
        out.tensors["batch_num_images"] = integerTensor({1}, {count});
        out.images = std::move(views.images());
        return out;
    }

    VisualInput processVideo(std::span<const Pixels> frames, const VideoTiming& timing) const override {
        FrameViews made = frameViews(m_frames, frames, timing);
        made.values.shape.insert(made.values.shape.begin(), 1);
        VisualInput out;
        out.tensors["pixel_values_videos"] = std::move(made.values);
        out.videos.push_back(std::move(made.video));
        return out;
    }

    std::string describe() const override { return m_rules.describe(); }

private:
    AnyResolution m_rules;
    ImageProcessor m_frames;
    std::array<std::uint8_t, 3> m_mean{};
};

int tilesOf(const std::string& ratio) {
    const std::size_t at = ratio.find_first_of("0123456789");
    int most = 0;
    if (at != std::string::npos) std::from_chars(ratio.data() + at, ratio.data() + ratio.size(), most);
    if (!ratio.starts_with("anyres_max_") || most < 1 || most > 4096) {
        throw Error(
            fmt::format("vision_aspect_ratio: expected anyres_max_N with N from 1 to 4096, found \"{}\"",
                        ratio.substr(0, 60)),
            "Correct vision_aspect_ratio in config.json.");
    }
    return most;
}

}  // namespace

std::unique_ptr<VisualProcessor> makeLlavaOnevision(const VisualFiles& files) {
    const ImageProcessor::Settings settings =
        visualDefaults("LlavaOnevisionImageProcessor", 384, Resample::Bicubic, kClipMean, kClipDeviation);
    std::vector<AnyResolution::Size> pinpoints;
    for (int height = 384; height <= 2304; height += 384)
        for (int width = 384; width <= 2304; width += 384) pinpoints.push_back({height, width});
    const ProcessorKeys keys(objectOf(files.image, files.imageFile), files.imageFile);
    checkClass(keys, "LlavaOnevisionImageProcessor");
    AnyResolution rules = readAnyResolution(keys, settings, std::move(pinpoints));
    ImageProcessor::Settings frames = settings;
    frames.className = "LlavaOnevisionVideoProcessor";

    LayoutRules layout;
    layout.scheme = LayoutRules::Scheme::LlavaOnevision;
    layout.imageSlot = layout.imageToken =
        tokenNamed(files, "image_token", settingText(files, "image_token", "<image>"));
    layout.videoSlot = layout.videoToken =
        tokenNamed(files, "video_token", settingText(files, "video_token", "<video>"));
    layout.patchSize = towerPatchSize(files, 14);
    layout.tokensPerTile = processorNumber(files, "num_image_tokens", 0);
    layout.dropFirst = settingText(files, "vision_feature_select_strategy", "full") == "default";
    layout.maxTiles = tilesOf(settingText(files, "vision_aspect_ratio", "anyres_max_9"));
    return std::make_unique<LlavaOnevisionProcessor>(
        std::move(rules), ImageProcessor(readVideo(files, frames)), std::move(layout));
}

}  // namespace fovea
