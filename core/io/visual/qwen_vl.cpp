#include "io/visual/qwen_vl.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "fovea/error.h"
#include "io/visual/canvas.h"

namespace fovea {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMostPixels = std::int64_t{1} << 40;

std::int64_t pixelCount(const ProcessorKeys& keys, const std::string& key, const Json& value) {
    const std::string expected = fmt::format("a whole number from 1 to {}", kMostPixels);
    if (!value.is_number_integer()) keys.fail(key, expected, value);
    const bool huge =
        value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(kMostPixels);
    if (huge || value.get<std::int64_t>() < 1 || value.get<std::int64_t>() > kMostPixels)
        keys.fail(key, expected, value);
    return value.get<std::int64_t>();
}

void readLimits(const ProcessorKeys& keys, QwenSettings& s, QwenLimits limits) {
    const bool byKeys = limits == QwenLimits::SizeOrKeys;
    if (const Json* size = keys.find("size")) {
        if (!size->is_object()) keys.fail("size", "{\"shortest_edge\", \"longest_edge\"}", *size);
        const auto least = size->find("shortest_edge");
        const auto most = size->find("longest_edge");
        const bool both = least != size->end() && most != size->end();
        if (both) {
            s.minPixels = pixelCount(keys, "size.shortest_edge", *least);
            s.maxPixels = pixelCount(keys, "size.longest_edge", *most);
        } else if (!byKeys || !keys.find("min_pixels") || !keys.find("max_pixels")) {
            keys.fail("size", "{\"shortest_edge\", \"longest_edge\"}", *size);
        }
    }
    if (!byKeys) return;
    if (const Json* least = keys.find("min_pixels")) s.minPixels = pixelCount(keys, "min_pixels", *least);
    if (const Json* most = keys.find("max_pixels")) s.maxPixels = pixelCount(keys, "max_pixels", *most);
}

// Patches of the temporal pairs in the order of the merger: blocks row by row, within a block its patches,
// within a patch channel, time, row, column.
void addPatches(const QwenSettings& s, std::span<const std::vector<float>* const> frames, int width,
                int height, std::vector<float>& out) {
    const int m = s.merge;
    const int p = s.patch;
    const std::size_t plane = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
    for (int by = 0; by < height / (p * m); ++by)
        for (int bx = 0; bx < width / (p * m); ++bx)
            for (int inside = 0; inside < m * m; ++inside) {
                const int y0 = (by * m + inside / m) * p;
                const int x0 = (bx * m + inside % m) * p;
                for (std::size_t c = 0; c < 3; ++c)
                    for (const std::vector<float>* frame : frames)
                        for (int y = y0; y < y0 + p; ++y) {
                            const float* from =
                                frame->data() + c * plane +
                                static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                                static_cast<std::size_t>(x0);
                            out.insert(out.end(), from, from + p);
                        }
            }
}

void checkBlocks(const QwenSettings& s, const Pixels& picture, double width, double height) {
    const int factor = s.factor();
    if (std::fmod(width, factor) == 0 && std::fmod(height, factor) == 0) return;
    throw Error(fmt::format("image of {} x {}: expected multiples of {} where do_resize is false",
                            picture.width, picture.height, factor),
                "Scale or crop the picture to such a size first.");
}

double patchValues(const QwenSettings& s, double width, double height, double frames) {
    return width * height * 3 * frames * s.temporalPatch;
}

std::int64_t patchLength(const QwenSettings& s) {
    return 3LL * s.temporalPatch * s.patch * s.patch;
}

}  // namespace

QwenSize qwenSize(const QwenSettings& s, double width, double height, double maxPixels) {
    if (std::max(height, width) / std::min(height, width) > 200) {
        throw Error(
            fmt::format("image of {:.0f} x {:.0f}: expected an aspect ratio of at most 200", width, height),
            "crop the image to a less extreme shape");
    }
    const double factor = s.factor();
    QwenSize size{std::nearbyint(width / factor) * factor, std::nearbyint(height / factor) * factor};
    if (size.width * size.height > maxPixels) {
        const double shrink = std::sqrt(height * width / maxPixels);
        size.width = std::max(factor, std::floor(width / shrink / factor) * factor);
        size.height = std::max(factor, std::floor(height / shrink / factor) * factor);
    } else if (size.width * size.height < static_cast<double>(s.minPixels)) {
        const double grow = std::sqrt(static_cast<double>(s.minPixels) / (height * width));
        size.width = std::ceil(width * grow / factor) * factor;
        size.height = std::ceil(height * grow / factor) * factor;
    }
    return size;
}

QwenSettings readQwen(const ProcessorKeys& keys, QwenSettings s, QwenLimits limits) {
    readPixelSettings(keys, s.pixels);
    s.pixels.doCrop = s.pixels.doPad = false;
    readLimits(keys, s, limits);
    keys.count("patch_size", s.patch, 1024);
    keys.count("temporal_patch_size", s.temporalPatch, 64);
    keys.count("merge_size", s.merge, 16);
    keys.flag("cap_pixels_per_frame", s.capFrames);
    if (const Json* most = keys.find("max_video_tokens"))
        s.maxVideoTokens = keys.side("max_video_tokens", *most, 1 << 30);
    return s;
}

QwenProcessor::QwenProcessor(QwenSettings image, QwenSettings video, LayoutRules layout)
    : m_image(std::move(image)), m_video(std::move(video)) {
    m_layout = std::move(layout);
    m_layout.patchSize = m_image.patch;
    m_layout.merge = m_image.merge;
    m_layout.temporalPatch = m_video.temporalPatch;
    m_black = blackOf(m_image.pixels);
}

VisualInput QwenProcessor::process(std::span<const Pixels> images) const {
    checkSomeImages(images);
    const QwenSettings& s = m_image;
    const ImageProcessor pixels(withoutResize(s.pixels));
    VisualInput out;
    std::vector<float> values;
    std::vector<std::int64_t> grids;
    for (const Pixels& picture : images) {
        Canvas canvas = canvasOf(picture);
        if (s.pixels.doResize) {
            const QwenSize size =
                qwenSize(s, picture.width, picture.height, static_cast<double>(s.maxPixels));
            checkValueCount(static_cast<double>(values.size()) + patchValues(s, size.width, size.height, 1),
                            "images");
            canvas = resized(canvas, size.width, size.height, s.pixels.resample);
        }
        checkBlocks(s, picture, canvas.pixels.width, canvas.pixels.height);
        checkValueCount(
            static_cast<double>(values.size()) + patchValues(s, canvas.pixels.width, canvas.pixels.height, 1),
            "images");
        ProcessedImage done = pixels.process(canvas.pixels);
        const std::vector<const std::vector<float>*> pair(static_cast<std::size_t>(s.temporalPatch),
                                                          &done.values);
        addPatches(s, pair, done.width, done.height, values);
        VisionImage image;
        image.width = picture.width;
        image.height = picture.height;
        image.gridThw = {1, done.height / s.patch, done.width / s.patch};
        grids.insert(grids.end(), image.gridThw.begin(), image.gridThw.end());
        image.tiles.push_back({std::move(done.seen), canvas.transform.then(done.transform)});
        out.images.push_back(std::move(image));
    }
    const auto rows = static_cast<std::int64_t>(values.size()) / patchLength(s);
    out.tensors["pixel_values"] = {{rows, patchLength(s)}, std::move(values), {}};
    out.tensors["image_grid_thw"] =
        integerTensor({static_cast<std::int64_t>(images.size()), 3}, std::move(grids));
    return out;
}

VisualInput QwenProcessor::processVideo(std::span<const Pixels> frames, const VideoTiming& timing) const {
    checkFrames(frames);
    checkVideoFilter(m_video.pixels);
    if (m_video.patch != m_image.patch || m_video.merge != m_image.merge) {
        throw Error(fmt::format(
            "patch_size, merge_size of the video processor: expected those of the image processor "
            "({}, {}), found {}, {}",
            m_image.patch, m_image.merge, m_video.patch, m_video.merge),
                    "Give both processors the same sizes, or fetch their files again.");
    }
    const QwenSettings& s = m_video;
    const int count = static_cast<int>(frames.size());
    ImageProcessor::Settings settings = s.pixels;
    QwenSize size{static_cast<double>(frames[0].width), static_cast<double>(frames[0].height)};
    if (settings.doResize) size = frameSize(s, frames[0], count);
    checkBlocks(s, frames[0], size.width, size.height);
    const int groups = (count + s.temporalPatch - 1) / s.temporalPatch;
    checkValueCount(patchValues(s, size.width, size.height, groups), "video");
    settings.rule = ImageProcessor::Settings::SizeRule::Exact;
    settings.width = static_cast<int>(size.width);
    settings.height = static_cast<int>(size.height);
    const ImageProcessor pixels(settings);
    VisualInput out;
    VisionImage video = videoOf(frames, timing);
    video.gridThw = {groups, settings.height / s.patch, settings.width / s.patch};
    std::vector<float> values;
    values.reserve(static_cast<std::size_t>(patchValues(s, size.width, size.height, groups)));
    for (int group = 0; group < groups; ++group) {
        std::vector<std::vector<float>> held;
        for (int i = group * s.temporalPatch; i < std::min(count, (group + 1) * s.temporalPatch); ++i) {
            ProcessedImage done = pixels.process(frames[static_cast<std::size_t>(i)]);
            held.push_back(std::move(done.values));
            video.tiles.push_back({std::move(done.seen), done.transform});
        }
        std::vector<const std::vector<float>*> together;
        for (int t = 0; t < s.temporalPatch; ++t)
            together.push_back(&held[std::min(static_cast<std::size_t>(t), held.size() - 1)]);
        addPatches(s, together, settings.width, settings.height, values);
    }
    const auto rows = static_cast<std::int64_t>(values.size()) / patchLength(s);
    out.tensors["pixel_values_videos"] = {{rows, patchLength(s)}, std::move(values), {}};
    out.tensors["video_grid_thw"] = integerTensor({1, 3}, {video.gridThw.begin(), video.gridThw.end()});
    out.videos.push_back(std::move(video));
    addTiming(out, timing, count);
    return out;
}

std::string QwenProcessor::describe() const {
    const QwenSettings& s = m_image;
    return fmt::format("{}: {} to {} pixels in blocks of {} x {}, patches of {}", s.pixels.className,
                       s.minPixels, s.maxPixels, s.factor(), s.factor(), s.patch);
}

}  // namespace fovea
