// SmolVLM: Idefics3's images, and videos whose frames are resized twice and seen whole.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "io/visual/idefics3.h"
#include "io/visual/video_views.h"

namespace fovea {
namespace {

using Json = nlohmann::json;
using Settings = ImageProcessor::Settings;

struct ClipSettings {
    Settings pixels;
    int longest = 4 * 364;  // 0: exactly pixels.width x pixels.height
    int tile = 364;
};

class SmolVlmProcessor final : public Idefics3Processor {
public:
    SmolVlmProcessor(Idefics3Settings images, ClipSettings clip, LayoutRules layout)
        : Idefics3Processor(std::move(images), std::move(layout)), m_clip(std::move(clip)) {}

    VisualInput processVideo(std::span<const Pixels> frames, const VideoTiming& timing) const override {
        checkFrames(frames);
        checkVideoFilter(m_clip.pixels);
        const ImageProcessor pixels(withoutResize(m_clip.pixels));
        ViewList views(pixels);
        views.begin(frames[0]);
        for (const Pixels& frame : frames)
            views.add(m_clip.pixels.doResize ? shrunk(frame) : canvasOf(frame));
        VisualInput out;
        VisionImage video = videoOf(frames, timing);
        video.tiles = std::move(views.images()[0].tiles);
        out.videos.push_back(std::move(video));
        const std::vector<std::int64_t> shape{1, views.views(), views.height(), views.width()};
        std::vector<std::int64_t> ones(static_cast<std::size_t>(shape[1] * shape[2] * shape[3]), 1);
        HostTensor values = std::move(views).tensor();
        values.shape.insert(values.shape.begin(), 1);
        out.tensors["pixel_values"] = std::move(values);
        out.tensors["pixel_attention_mask"] = integerTensor(shape, std::move(ones));
        return out;
    }

private:
    Canvas shrunk(const Pixels& frame) const {
        LongestSize size{static_cast<double>(m_clip.pixels.width), static_cast<double>(m_clip.pixels.height)};
        if (m_clip.longest > 0) size = longestSize(frame.width, frame.height, std::min(m_clip.longest, 4096));
        const auto backend = Settings::Backend::Torchvision;
        return resized(resized(canvasOf(frame), size.width, size.height, m_clip.pixels.resample, backend),
                       double{1} * m_clip.tile, double{1} * m_clip.tile, m_clip.pixels.resample, backend);
    }

    ClipSettings m_clip;
};

int longestOf(const ProcessorKeys& keys, const char* key, const Json& value) {
    const auto it = value.is_object() ? value.find("longest_edge") : value.end();
    if (!value.is_object() || it == value.end()) keys.fail(key, "{\"longest_edge\"}", value);
    return keys.side(key, *it);
}

ClipSettings readClip(const VisualFiles& files) {
    ClipSettings clip;
    clip.pixels = visualDefaults("SmolVLMVideoProcessor", 364, Resample::Lanczos, kHalf, kHalf);
    clip.pixels.backend = Settings::Backend::Torchvision;
    const ProcessorKeys keys(objectOf(files.video, files.videoFile), files.videoFile);
    readPixelSettings(keys, clip.pixels);
    clip.pixels.doCrop = false;
    if (const Json* size = keys.find("size")) {
        if (size->is_object() && size->contains("longest_edge")) {
            clip.longest = longestOf(keys, "size", *size);
        } else {
            readBothSides(keys, "size", clip.pixels.height, clip.pixels.width);
            clip.longest = 0;
        }
    } else if (const Json* sampling = keys.find("video_sampling")) {
        const auto own = sampling->is_object() ? sampling->find("video_size") : sampling->end();
        if (!sampling->is_object() || own == sampling->end())
            keys.fail("video_sampling", "an object with video_size", *sampling);
        clip.longest = longestOf(keys, "video_sampling.video_size", *own);
    }
    if (const Json* most = keys.find("max_image_size")) clip.tile = longestOf(keys, "max_image_size", *most);
    return clip;
}

}  // namespace

std::unique_ptr<VisualProcessor> makeSmolVlm(const VisualFiles& files) {
    LayoutRules layout = idefics3Layout(files);
    layout.videoSlot = tokenNamed(files, "video_token", "<video>");
    layout.videoToken = layout.imageToken;
    return std::make_unique<SmolVlmProcessor>(readIdefics3(files, "SmolVLMImageProcessor"), readClip(files),
                                              std::move(layout));
}

}  // namespace fovea
