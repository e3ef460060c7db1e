#include "fovea/image_processor.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <utility>

#include "fovea/error.h"
#include "io/pil_resize.h"

namespace fovea {
namespace {

using Settings = ImageProcessor::Settings;
using SizeRule = Settings::SizeRule;
using Backend = Settings::Backend;

constexpr std::int64_t kMaxInputPixels = std::int64_t{1} << 25;
constexpr double kMaxResizedSide = 1 << 30;

struct Size {
    int width = 0;
    int height = 0;
};

// Python's int(): towards zero. Out of range and non-finite values become a side that is refused later.
double truncated(double x) {
    return std::isfinite(x) ? std::trunc(x) : kMaxResizedSide * 2;
}

Size sizeWithLimit(const Pixels& picture, double size, double limit) {
    const double height = picture.height;
    const double width = picture.width;
    const double shorter = std::min(height, width);
    const double longer = std::max(height, width);
    double exact = size;  // before rounding, for the longer side
    if (longer / shorter * size > limit) {
        exact = limit * shorter / longer;
        size = std::nearbyint(exact);
    }
    if ((height <= width && height == size) || (width <= height && width == size)) {
        return {picture.width, picture.height};
    }
    if (width < height) return {static_cast<int>(size), static_cast<int>(truncated(exact * height / width))};
    return {static_cast<int>(truncated(exact * width / height)), static_cast<int>(size)};
}

// The largest multiple of the patch size per side, at most `scale` times the picture rounded up, with at most
// maxPatches patches: the reference's bisection, step by step, since its end point depends on the steps.
Size sizeForPatches(const Pixels& picture, int patch, int maxPatches) {
    const auto scaled = [patch](double scale, int side) {
        return std::max<double>(patch, std::ceil(side * scale / patch) * patch);
    };
    constexpr double epsilon = 1e-5;
    double low = epsilon / 10;
    double high = 100.0;
    while (high - low >= epsilon) {
        const double scale = (low + high) / 2;
        const double patches = scaled(scale, picture.height) / patch * (scaled(scale, picture.width) / patch);
        (patches <= maxPatches ? low : high) = scale;
    }
    return {static_cast<int>(scaled(low, picture.width)), static_cast<int>(scaled(low, picture.height))};
}

Size resizedSize(const Settings& s, const Pixels& picture) {
    const double height = picture.height;
    const double width = picture.width;
    double w = s.width;
    double h = s.height;
    if (!s.doResize) return {picture.width, picture.height};
    switch (s.rule) {
        case SizeRule::Exact:
            break;
        case SizeRule::ShortestEdge:
            w = width <= height ? s.height : truncated(s.height * width / height);
            h = width <= height ? truncated(s.height * height / width) : s.height;
            break;
        case SizeRule::ShortestWithLongest: {
            const Size size = sizeWithLimit(picture, s.height, s.width);
            w = size.width;
            h = size.height;
            break;
        }
        case SizeRule::FitInside: {
            const double scale = std::min(s.height / height, s.width / width);
            w = truncated(width * scale);
            h = truncated(height * scale);
            break;
        }
        case SizeRule::CoverRounded:
        case SizeRule::FitRounded: {
            const double tall = height / s.height;
            const double wide = width / s.width;
            const double ratio = s.rule == SizeRule::FitRounded ? std::max(tall, wide) : std::min(tall, wide);
            w = std::nearbyint(width / ratio);
            h = std::nearbyint(height / ratio);
            break;
        }
        case SizeRule::MaxPatches: {
            const Size size = sizeForPatches(picture, s.patchSize, s.maxPatches);
            w = size.width;
            h = size.height;
            break;
        }
    }
    if (w < 1 || h < 1 || w > kMaxResizedSide || h > kMaxResizedSide) {
        throw Error(
            fmt::format("image of {} x {}: expected both sides to stay at 1 pixel or more and below 2^30, "
                        "found {:.0f} x {:.0f} after the resize of {}",
                        picture.width, picture.height, w, h, s.className),
            "crop the image to a less extreme shape");
    }
    return {static_cast<int>(w), static_cast<int>(h)};
}

// Where a centred crop begins: negative for padding. The three references round differently.
int cropBegin(Backend backend, int side, int crop) {
    const int room = side - crop;
    if (backend == Backend::Pillow || room % 2 == 0) return room >= 0 ? room / 2 : -((1 - room) / 2);
    if (room < 0) return -(-room / 2);
    const bool toEven = backend == Backend::Timm && (room / 2) % 2 == 1;
    return room / 2 + (toEven ? 1 : 0);
}

PixelTransform transformOf(const Settings& s, const Pixels& picture) {
    const Size resized = resizedSize(s, picture);
    PixelTransform t;
    t.originalWidth = picture.width;
    t.originalHeight = picture.height;
    t.resizedWidth = t.inputWidth = resized.width;
    t.resizedHeight = t.inputHeight = resized.height;
    if (s.doCrop) {
        t.inputWidth = s.cropWidth;
        t.inputHeight = s.cropHeight;
        t.left = cropBegin(s.backend, resized.width, s.cropWidth);
        t.top = cropBegin(s.backend, resized.height, s.cropHeight);
    }
    t.shownWidth = t.inputWidth;
    t.shownHeight = t.inputHeight;
    if (s.doPad && s.padWidth > 0) {
        if (s.padWidth < t.inputWidth || s.padHeight < t.inputHeight) {
            throw Error(fmt::format(
                "image of {} x {}: pad_size: expected at least the {} x {} of the resized image, "
                "found {} x {}",
                picture.width, picture.height, t.inputWidth, t.inputHeight, s.padWidth, s.padHeight),
                        "Correct pad_size or size in preprocessor_config.json.");
        }
        t.inputWidth = s.padWidth;
        t.inputHeight = s.padHeight;
    }
    if (std::int64_t{t.inputWidth} * t.inputHeight > kMaxInputPixels) {
        throw Error(fmt::format("image of {} x {}: expected at most {} pixels for the model, found {} x {}",
                                picture.width, picture.height, kMaxInputPixels, t.inputWidth, t.inputHeight),
                    "use a smaller image, or a preprocessor_config.json with do_resize or do_center_crop");
    }
    return t;
}

// The part of the resized picture that the input shows, and where it lies in the input.
struct Placement {
    Window window;
    int x = 0;
    int y = 0;
};

Placement placementOf(const PixelTransform& t) {
    Placement p;
    p.window.x = std::max(t.left, 0);
    p.window.y = std::max(t.top, 0);
    p.x = std::max(-t.left, 0);
    p.y = std::max(-t.top, 0);
    p.window.width = std::min(t.resizedWidth - p.window.x, t.shownWidth - p.x);
    p.window.height = std::min(t.resizedHeight - p.window.y, t.shownHeight - p.y);
    return p;
}

// The ends of a range of one axis.
struct Range {
    double begin = 0;
    double end = 0;
};

// A range after a shift and a scale, both ends kept within the limits.
Range clipped(double begin, double size, const Range& limits) {
    return {std::clamp(begin, limits.begin, limits.end), std::clamp(begin + size, limits.begin, limits.end)};
}

Rect sourceOf(const PixelTransform& t) {
    if (!t.source.empty()) return t.source;
    return {0, 0, static_cast<double>(t.originalWidth), static_cast<double>(t.originalHeight)};
}

// What of the picture a resized part can show; an empty range at the nearest edge if that is all padding.
Range kept(double begin, double size, int original) {
    const Range picture{0, static_cast<double>(original)};
    return clipped(begin, size, picture);
}

}  // namespace

Rect PixelTransform::toOriginal(const Rect& r) const {
    const Rect s = sourceOf(*this);
    const double sx = s.width / resizedWidth;
    const double sy = s.height / resizedHeight;
    const Range x = clipped(r.x, r.width, {0, static_cast<double>(shownWidth)});
    const Range y = clipped(r.y, r.height, {0, static_cast<double>(shownHeight)});
    const Range ox =
        clipped(s.x + (x.begin + left) * sx, (x.end - x.begin) * sx, kept(s.x, s.width, originalWidth));
    const Range oy =
        clipped(s.y + (y.begin + top) * sy, (y.end - y.begin) * sy, kept(s.y, s.height, originalHeight));
    return {ox.begin, oy.begin, ox.end - ox.begin, oy.end - oy.begin};
}

Rect PixelTransform::toInput(const Rect& r) const {
    const Rect s = sourceOf(*this);
    const double sx = resizedWidth / s.width;
    const double sy = resizedHeight / s.height;
    const Range x = clipped(r.x, r.width, kept(s.x, s.width, originalWidth));
    const Range y = clipped(r.y, r.height, kept(s.y, s.height, originalHeight));
    const Range ix =
        clipped((x.begin - s.x) * sx - left, (x.end - x.begin) * sx, {0, static_cast<double>(shownWidth)});
    const Range iy =
        clipped((y.begin - s.y) * sy - top, (y.end - y.begin) * sy, {0, static_cast<double>(shownHeight)});
    return {ix.begin, iy.begin, ix.end - ix.begin, iy.end - iy.begin};
}

PixelTransform PixelTransform::then(const PixelTransform& next) const {
    PixelTransform t = next;
    t.originalWidth = originalWidth;
    t.originalHeight = originalHeight;
    const bool scales = next.resizedWidth != next.originalWidth || next.resizedHeight != next.originalHeight;
    if (!scales && next.source.empty()) {  // the same scale: keep whole numbers
        t.resizedWidth = resizedWidth;
        t.resizedHeight = resizedHeight;
        t.left = left + next.left;
        t.top = top + next.top;
        t.source = source;
        return t;
    }
    const Rect s = sourceOf(*this);
    const Rect part = sourceOf(next);
    const double sx = s.width / resizedWidth;
    const double sy = s.height / resizedHeight;
    t.source = {s.x + (part.x + left) * sx, s.y + (part.y + top) * sy, part.width * sx, part.height * sy};
    if (t.source == Rect{0, 0, static_cast<double>(originalWidth), static_cast<double>(originalHeight)})
        t.source = {};
    return t;
}

Rect PixelTransform::read() const {
    return toOriginal({0, 0, static_cast<double>(inputWidth), static_cast<double>(inputHeight)});
}

std::vector<Rect> PixelTransform::unread() const {
    const Rect r = read();
    const double right = r.x + r.width;
    const double bottom = r.y + r.height;
    std::vector<Rect> rects;
    const auto add = [&rects](const Rect& rect) {
        if (rect.width > 0 && rect.height > 0) rects.push_back(rect);
    };
    add({0, 0, static_cast<double>(originalWidth), r.y});
    add({0, r.y, r.x, r.height});
    add({right, r.y, originalWidth - right, r.height});
    add({0, bottom, static_cast<double>(originalWidth), originalHeight - bottom});
    return rects;
}

ImageProcessor::ImageProcessor(Settings settings, std::vector<std::string> notices)
    : m_settings(std::move(settings)), m_notices(std::move(notices)) {
    const Settings& s = m_settings;
    for (std::size_t c = 0; c < 3; ++c) {
        float mean = static_cast<float>(s.mean[c]);
        float deviation = static_cast<float>(s.deviation[c]);
        if (s.backend == Backend::Torchvision && s.doRescale) {
            mean *= static_cast<float>(1.0 / s.rescaleFactor);
            deviation *= static_cast<float>(1.0 / s.rescaleFactor);
        }
        for (int byte = 0; byte < 256; ++byte) {
            float value = static_cast<float>(byte);
            if (s.doRescale) {
                switch (s.backend) {
                    case Backend::Pillow:
                        value = static_cast<float>(byte * s.rescaleFactor);
                        break;
                    case Backend::DinoV3:
                        value *= static_cast<float>(s.rescaleFactor);
                        break;
                    case Backend::Timm:
                        value /= 255.0F;
                        break;
                    case Backend::Torchvision:  // normalised in one step below
                        value *= s.doNormalize ? 1.0F : static_cast<float>(s.rescaleFactor);
                        break;
                }
            }
            m_rescaled[static_cast<std::size_t>(byte)] = value;
            if (s.doNormalize) value = (value - mean) / deviation;
            if (!std::isfinite(value)) {
                throw Error(
                    fmt::format("{}: rescale_factor, image_mean, image_std: expected finite pixel values, "
                                "found {} for a byte of {}",
                                s.className, value, byte),
                    "Correct these values in preprocessor_config.json.");
            }
            m_table[c][static_cast<std::size_t>(byte)] = value;
        }
    }
}

ProcessedImage ImageProcessor::process(const Pixels& picture) const {
    requirePixels(picture);
    const Settings& s = m_settings;
    ProcessedImage out;
    out.transform = transformOf(s, picture);
    out.width = out.transform.inputWidth;
    out.height = out.transform.inputHeight;
    out.seen = Pixels(out.width, out.height);
    const Placement place = placementOf(out.transform);
    const std::size_t width = static_cast<std::size_t>(out.width);
    const std::size_t plane = width * static_cast<std::size_t>(out.height);
    const ResizeRequest request{out.transform.resizedWidth, out.transform.resizedHeight, s.resample,
                                place.window};

    if (s.doPad || s.doCrop) {
        // Padding after normalising has the value 0, the mean; a crop beyond the picture has the fill of the
        // crop.
        for (int y = 0; y < out.height; ++y) {
            for (int x = 0; x < out.width; ++x) {
                const bool cropped = s.doCrop && x < s.cropWidth && y < s.cropHeight;
                for (std::size_t c = 0; c < 3; ++c) {
                    const double mean = s.doNormalize ? std::clamp(s.mean[c] * 255.0, 0.0, 255.0) : 0.0;
                    out.seen.at(x, y)[c] =
                        cropped ? s.cropFill[c] : static_cast<std::uint8_t>(std::lround(mean));
                }
            }
        }
    }
    std::vector<float> values(3 * plane, 0.0F);
    const auto valueAt = [&](std::size_t c, int x, int y) -> float& {
        return values[c * plane + static_cast<std::size_t>(y) * width + static_cast<std::size_t>(x)];
    };
    if (s.doCrop) {
        for (std::size_t c = 0; c < 3; ++c) {
            for (int y = 0; y < s.cropHeight; ++y) {
                std::fill_n(&valueAt(c, 0, y), s.cropWidth, m_table[c][s.cropFill[c]]);
            }
        }
    }
    if (s.backend == Backend::DinoV3) {
        const std::vector<float> resized = resizeAntialiased(picture, m_rescaled, request);
        const float* value = resized.data();
        for (std::size_t c = 0; c < 3; ++c) {
            const float mean = static_cast<float>(s.mean[c]);
            const float deviation = static_cast<float>(s.deviation[c]);
            for (int y = 0; y < place.window.height; ++y) {
                for (int x = 0; x < place.window.width; ++x, ++value) {
                    valueAt(c, place.x + x, place.y + y) =
                        s.doNormalize ? (*value - mean) / deviation : *value;
                    const double byte = *value / static_cast<float>(s.rescaleFactor);
                    out.seen.at(place.x + x, place.y + y)[c] =
                        static_cast<std::uint8_t>(std::lround(std::clamp(byte, 0.0, 255.0)));
                }
            }
        }
    } else {
        const Pixels resized = s.backend == Backend::Torchvision ? resizeTorchvision(picture, request)
                                                                 : resizePillow(picture, request);
        for (int y = 0; y < place.window.height; ++y) {
            const std::uint8_t* row = resized.at(0, y);
            std::copy_n(row, 3 * static_cast<std::size_t>(place.window.width),
                        out.seen.at(place.x, place.y + y));
            for (std::size_t c = 0; c < 3; ++c) {
                float* target = &valueAt(c, place.x, place.y + y);
                for (int x = 0; x < place.window.width; ++x)
                    target[x] = m_table[c][row[3 * x + static_cast<int>(c)]];
            }
        }
    }
    out.values = std::move(values);
    if (s.rule == SizeRule::MaxPatches) toPatches(out);
    return out;
}

void ImageProcessor::toPatches(ProcessedImage& image) const {
    const int patch = m_settings.patchSize;
    if (image.width % patch != 0 || image.height % patch != 0) {
        throw Error(
            fmt::format("image of {} x {}: expected multiples of the patch size {} where do_resize is false",
                        image.width, image.height, patch),
            "Scale or crop the picture to such a size first.");
    }
    const int rows = image.height / patch;
    const int columns = image.width / patch;
    if (std::int64_t{rows} * columns > m_settings.maxPatches) {
        throw Error(fmt::format("image of {} x {}: expected at most {} patches of {} pixels, found {}",
                                image.width, image.height, m_settings.maxPatches, patch,
                                std::int64_t{rows} * columns),
                    "Scale the picture down first.");
    }
    const std::size_t length = 3 * static_cast<std::size_t>(patch) * static_cast<std::size_t>(patch);
    const std::size_t plane = static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
    std::vector<float> patches(static_cast<std::size_t>(m_settings.maxPatches) * length, 0.0F);
    float* target = patches.data();
    for (int row = 0; row < rows; ++row) {
        for (int column = 0; column < columns; ++column) {
            for (int y = row * patch; y < (row + 1) * patch; ++y) {
                const std::size_t line = static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width);
                for (int x = column * patch; x < (column + 1) * patch; ++x) {
                    for (std::size_t c = 0; c < 3; ++c) {
                        *target++ = image.values[c * plane + line + static_cast<std::size_t>(x)];
                    }
                }
            }
        }
    }
    image.values = std::move(patches);
    image.patchSize = patch;
    image.maxPatches = m_settings.maxPatches;
    image.spatialShape = {rows, columns};
    image.patchMask.assign(static_cast<std::size_t>(m_settings.maxPatches), 0);
    std::fill_n(image.patchMask.begin(), rows * columns, std::uint8_t{1});
}

std::string ImageProcessor::describe() const {
    static constexpr std::array<const char*, 6> kFilters{"nearest", "lanczos", "bilinear",
                                                         "bicubic", "box",     "hamming"};
    const Settings& s = m_settings;
    std::string text = s.className + ":";
    const char* filter = kFilters[static_cast<std::size_t>(s.resample)];
    if (!s.doResize) {
        text += " no resize";
    } else {
        switch (s.rule) {
            case SizeRule::Exact:
                text += fmt::format(" resize to {} x {} ({})", s.width, s.height, filter);
                break;
            case SizeRule::ShortestEdge:
                text += fmt::format(" resize the shorter side to {} ({})", s.height, filter);
                break;
            case SizeRule::ShortestWithLongest:
                text += fmt::format(" resize the shorter side to {}, the longer to at most {} ({})", s.height,
                                    s.width, filter);
                break;
            case SizeRule::FitInside:
            case SizeRule::FitRounded:
                text += fmt::format(" resize to fit into {} x {} ({})", s.width, s.height, filter);
                break;
            case SizeRule::CoverRounded:
                text += fmt::format(" resize to cover {} x {} ({})", s.width, s.height, filter);
                break;
            case SizeRule::MaxPatches:
                text += fmt::format(" resize to at most {} patches of {} pixels ({})", s.maxPatches,
                                    s.patchSize, filter);
                break;
        }
    }
    if (s.doCrop) text += fmt::format(", centre crop {} x {}", s.cropWidth, s.cropHeight);
    if (s.doRescale) text += fmt::format(", times {:.6g}", s.rescaleFactor);
    if (s.doNormalize) {
        text += fmt::format(", mean {:.4g} {:.4g} {:.4g}, deviation {:.4g} {:.4g} {:.4g}", s.mean[0],
                            s.mean[1], s.mean[2], s.deviation[0], s.deviation[1], s.deviation[2]);
    }
    if (s.doPad && s.padWidth > 0) text += fmt::format(", pad to {} x {}", s.padWidth, s.padHeight);
    return text;
}

}  // namespace fovea
