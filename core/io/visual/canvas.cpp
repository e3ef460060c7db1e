#include "io/visual/canvas.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <utility>

#include "fovea/error.h"

namespace fovea {
namespace {

constexpr double kMaxCanvas = 1 << 26;
constexpr double kMaxCanvasValues = 1 << 29;
constexpr std::size_t kMaxTiles = 4096;
constexpr std::size_t kMaxFrames = 4096;

void checkSize(const PixelTransform& from, double width, double height) {
    if (!(width >= 1) || !(height >= 1)) {
        throw Error(
            fmt::format("image of {} x {}: expected both sides to stay at 1 pixel or more, found {:.0f} x "
                        "{:.0f} after the resize",
                        from.originalWidth, from.originalHeight, width, height),
            "crop the image to a less extreme shape");
    }
    if (!(width * height <= kMaxCanvas)) {
        throw Error(
            fmt::format("image of {} x {}: expected at most {:.0f} pixels after the resize, found {:.0f} x "
                        "{:.0f}",
                        from.originalWidth, from.originalHeight, kMaxCanvas, width, height),
            "use a less extreme shape, or smaller sizes in preprocessor_config.json", ErrorCode::Memory);
    }
}

PixelTransform wholePicture(int fromWidth, int fromHeight, int width, int height) {
    PixelTransform t;
    t.originalWidth = fromWidth;
    t.originalHeight = fromHeight;
    t.resizedWidth = t.shownWidth = t.inputWidth = width;
    t.resizedHeight = t.shownHeight = t.inputHeight = height;
    return t;
}

}  // namespace

Pixels overWhite(const Pixels& picture) {
    if (picture.alpha.empty()) return picture;
    if (3 * picture.alpha.size() != picture.rgb.size())
        throw Error(fmt::format("image of {} x {}: expected as many alpha values as pixels, found {}", picture.width,
                                picture.height, picture.alpha.size()),
                    {}, ErrorCode::Internal);
    Pixels result(picture.width, picture.height);
    for (std::size_t i = 0; i < picture.alpha.size(); ++i) {
        // Weights of 7 fractional bits that add up to 255; their sum is divided by 255 with shifts, rounded.
        const std::uint32_t weight = picture.alpha[i] * 128U;
        for (std::size_t c = 3 * i; c < 3 * i + 3; ++c) {
            const std::uint32_t sum = picture.rgb[c] * weight + 255U * (255U * 128U - weight) + (128U << 7);
            result.rgb[c] = static_cast<std::uint8_t>(((sum >> 8) + sum) >> 8 >> 7);
        }
    }
    return result;
}

Canvas canvasOf(const Pixels& picture) {
    requirePixels(picture);
    return {picture, wholePicture(picture.width, picture.height, picture.width, picture.height)};
}

Canvas resized(const Canvas& canvas, double width, double height, Resample filter,
               ImageProcessor::Settings::Backend backend) {
    checkSize(canvas.transform, width, height);
    const Pixels& from = canvas.pixels;
    const ResizeRequest request{static_cast<int>(width), static_cast<int>(height), filter, {}};
    const bool pillow = backend == ImageProcessor::Settings::Backend::Pillow;
    return {pillow ? resizePillow(from, request) : resizeTorchvision(from, request),
            canvas.transform.then(wholePicture(from.width, from.height, request.width, request.height))};
}

Canvas cut(const Canvas& canvas, const Window& part, std::array<std::uint8_t, 3> fill) {
    checkSize(canvas.transform, part.width, part.height);
    const Pixels& from = canvas.pixels;
    PixelTransform step = wholePicture(from.width, from.height, from.width, from.height);
    step.left = part.x;
    step.top = part.y;
    step.shownWidth = step.inputWidth = part.width;
    step.shownHeight = step.inputHeight = part.height;
    Canvas result{Pixels(part.width, part.height), canvas.transform.then(step)};
    const int begin = std::clamp(-part.x, 0, part.width);
    const int end = std::clamp(from.width - part.x, begin, part.width);
    for (int y = 0; y < part.height; ++y) {
        const int row = y + part.y;
        const bool inside = row >= 0 && row < from.height;
        std::uint8_t* target = result.pixels.at(0, y);
        if (inside && end > begin) {
            std::memcpy(target + 3 * begin, from.at(begin + part.x, row),
                        3 * static_cast<std::size_t>(end - begin));
        }
        for (int x = 0; x < part.width; ++x) {
            if (!inside || x < begin || x >= end) std::copy(fill.begin(), fill.end(), target + 3 * x);
        }
    }
    return result;
}

void ViewList::begin(const Pixels& picture) {
    VisionImage image;
    image.width = picture.width;
    image.height = picture.height;
    m_images.push_back(std::move(image));
}

void ViewList::setGrid(int rows, int columns) {
    m_images.back().tileRows = rows;
    m_images.back().tileColumns = columns;
}

void ViewList::add(const Canvas& view, const TilePlace& place) {
    VisionImage& image = m_images.back();
    if (image.tiles.size() >= kMaxTiles) {
        throw Error(
            fmt::format("image of {} x {}: expected at most {} tiles", image.width, image.height, kMaxTiles),
            "use fewer tiles in preprocessor_config.json", ErrorCode::Memory);
    }
    ProcessedImage done = m_pixels.process(view.pixels);
    if (m_views > 0 && (done.height != m_height || done.width != m_width)) {
        throw Error(
            fmt::format("image of {} x {}: expected views of {} x {}, found {} x {}", image.width,
                        image.height, m_width, m_height, done.width, done.height),
            "a preprocessor_config.json with do_resize and do_center_crop makes all views equally large");
    }
    m_height = done.height;
    m_width = done.width;
    checkValueCount(static_cast<double>(m_values.size()) + static_cast<double>(done.values.size()), "images");
    m_values.insert(m_values.end(), done.values.begin(), done.values.end());
    ++m_views;
    image.tiles.push_back(
        {std::move(done.seen), view.transform.then(done.transform), place.row, place.column, place.overview});
}

std::size_t ViewList::viewSize() const {
    return 3 * static_cast<std::size_t>(m_height) * static_cast<std::size_t>(m_width);
}

HostTensor ViewList::tensor() && {
    return {{m_views, 3, m_height, m_width}, std::move(m_values), {}};
}

HostTensor ViewList::padded(std::int64_t most) const {
    const std::int64_t images = static_cast<std::int64_t>(m_images.size());
    checkValueCount(static_cast<double>(images * most) * static_cast<double>(viewSize()), "images");
    HostTensor out{{images, most, 3, m_height, m_width}, {}, {}};
    out.floats.reserve(static_cast<std::size_t>(images * most) * viewSize());
    const float* from = m_values.data();
    for (const VisionImage& image : m_images) {
        const std::size_t held = image.tiles.size() * viewSize();
        out.floats.insert(out.floats.end(), from, from + held);
        from += held;
        out.floats.resize(out.floats.size() + static_cast<std::size_t>(most) * viewSize() - held, 0.0F);
    }
    return out;
}

void checkValueCount(double values, std::string_view what) {
    if (values <= kMaxCanvasValues) return;
    throw Error(fmt::format("{}: expected at most {:.0f} values for the model, found {:.0f}", what,
                            kMaxCanvasValues, values),
                "use fewer or smaller images, or a smaller limit in preprocessor_config.json",
                ErrorCode::Memory);
}

void checkSomeImages(std::span<const Pixels> images) {
    if (images.empty()) throw Error("images: expected at least one, found none",
                                    "Give a picture with --image.", ErrorCode::Usage);
}

void checkFrames(std::span<const Pixels> frames) {
    if (frames.empty() || frames.size() > kMaxFrames) {
        throw Error(fmt::format("video: expected 1 to {} frames, found {}", kMaxFrames, frames.size()),
                    "pick fewer frames of the video");
    }
    for (const Pixels& frame : frames) {
        if (frame.empty() || frame.width != frames[0].width || frame.height != frames[0].height) {
            throw Error(fmt::format("video: expected frames of {} x {}, found {} x {}", frames[0].width,
                                    frames[0].height, frame.width, frame.height),
                        "give frames of one size");
        }
    }
}

VisionImage videoOf(std::span<const Pixels> frames, const VideoTiming& timing) {
    VisionImage video;
    video.width = frames[0].width;
    video.height = frames[0].height;
    video.frames = static_cast<int>(frames.size());
    video.timing = timing;
    if (!timing.indices.empty() && timing.indices.size() != frames.size()) {
        throw Error(fmt::format("video: expected one index for each of {} frames, found {}", frames.size(),
                                timing.indices.size()),
                    {}, ErrorCode::Internal);
    }
    if (timing.indices.empty()) {
        for (std::size_t i = 0; i < frames.size(); ++i)
            video.timing.indices.push_back(static_cast<std::int64_t>(i));
    }
    return video;
}

HostTensor integerTensor(std::vector<std::int64_t> shape, std::vector<std::int64_t> values) {
    return {std::move(shape), {}, std::move(values)};
}

Rect originalRect(const VisionTile& tile, const Rect& inTile) {
    const Rect r = tile.transform.toOriginal(inTile);
    return r.width > 0 && r.height > 0 ? r : Rect{};
}

}  // namespace fovea
