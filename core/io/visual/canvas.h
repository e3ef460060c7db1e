#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/image_processor.h"
#include "fovea/vision_image.h"
#include "fovea/visual_processor.h"
#include "io/pil_resize.h"

namespace fovea {

/// A picture on its way to the model, and where its pixels come from.
struct Canvas {
    Pixels pixels;
    PixelTransform transform;
};

/// The picture on a white ground by Pillow's alpha_composite, in whole numbers; one without alpha stays as it is.
/// Throws Error (Internal) where alpha has another size than the picture.
Pixels overWhite(const Pixels& picture);
/// A picture as it is; throws Error for one without pixels.
Canvas canvasOf(const Pixels& picture);
/// Resized as a whole to a whole-number size, by Pillow's arithmetic or torchvision's; throws Error for less
/// than a pixel and (Memory) above 2^26 pixels.
Canvas resized(const Canvas& canvas, double width, double height, Resample filter,
               ImageProcessor::Settings::Backend backend = ImageProcessor::Settings::Backend::Pillow);
/// A part that may reach beyond the picture, filled there.
Canvas cut(const Canvas& canvas, const Window& part, std::array<std::uint8_t, 3> fill = {});

/// Where a view belongs in its picture.
struct TilePlace {
    int row = 0;
    int column = 0;
    bool overview = false;
};

/// Collects the views of one call: their values one after another, all of one size, within the limits.
class ViewList {
public:
    explicit ViewList(const ImageProcessor& pixels) : m_pixels(pixels) {}

    /// Begins the next picture.
    void begin(const Pixels& picture);
    /// Runs the processor (second resize, crop, rescale, normalise) on a view of the current picture.
    void add(const Canvas& view, const TilePlace& place = {});
    /// The rows and columns of crops of the current picture.
    void setGrid(int rows, int columns);
    std::vector<VisionImage>& images() { return m_images; }
    int height() const { return m_height; }
    int width() const { return m_width; }
    std::int64_t views() const { return m_views; }
    /// Values of one view.
    std::size_t viewSize() const;
    /// [views, 3, height, width].
    HostTensor tensor() &&;
    /// [images, most, 3, height, width]: pictures with fewer than `most` views get zeros behind them.
    HostTensor padded(std::int64_t most) const;

private:
    const ImageProcessor& m_pixels;
    std::vector<VisionImage> m_images;
    std::vector<float> m_values;
    std::int64_t m_views = 0;
    int m_height = 0;
    int m_width = 0;
};

/// Throws Error (Memory) when a call would make more than 2^29 values.
void checkValueCount(double values, std::string_view what);
/// Throws Error when there is no picture at all.
void checkSomeImages(std::span<const Pixels> images);
/// Throws Error unless there are 1 to 4096 frames, all of one size.
void checkFrames(std::span<const Pixels> frames);
/// A video without its tiles yet.
VisionImage videoOf(std::span<const Pixels> frames, const VideoTiming& timing);
HostTensor integerTensor(std::vector<std::int64_t> shape, std::vector<std::int64_t> values);

}  // namespace fovea
