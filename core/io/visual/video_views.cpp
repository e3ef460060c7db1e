#include "io/visual/video_views.h"

#include <utility>

namespace fovea {

ImageProcessor::Settings readVideo(const VisualFiles& files, ImageProcessor::Settings settings) {
    settings.backend = ImageProcessor::Settings::Backend::Torchvision;
    const ProcessorKeys keys(objectOf(files.video, files.videoFile), files.videoFile);
    readSize(keys, true, settings);
    readPixelSettings(keys, settings);
    return settings;
}

FrameViews frameViews(const ImageProcessor& pixels, std::span<const Pixels> frames,
                      const VideoTiming& timing) {
    checkFrames(frames);
    checkVideoFilter(pixels.settings());
    ViewList views(pixels);
    views.begin(frames[0]);
    for (const Pixels& frame : frames) views.add(canvasOf(frame));
    FrameViews out;
    out.video = videoOf(frames, timing);
    out.video.tiles = std::move(views.images()[0].tiles);
    out.values = std::move(views).tensor();
    return out;
}

}  // namespace fovea
