#pragma once

#include <array>
#include <vector>

#include "fovea/image_processor.h"
#include "fovea/pixels.h"

namespace fovea {

/// A whole-number rectangle of a resized picture, in its pixels.
struct Window {
    int x = 0;
    int y = 0;
    int width = 0;
    int height = 0;
};

/// The size a picture is resized to, the filter, and the part of the result that is wanted.
struct ResizeRequest {
    int width = 0;
    int height = 0;
    Resample filter = Resample::Bilinear;
    Window window;  ///< all of the result when its width is 0; computing a part gives the same bytes as
                    ///< cutting it out
};

/// Throws Error for a picture without pixels, (Internal) for one whose bytes are not three a pixel.
void requirePixels(const Pixels& picture);

/// Resizes as Pillow's Image.resize does on 8-bit RGB, bit for bit. Throws Error for sizes below 1.
Pixels resizePillow(const Pixels& source, const ResizeRequest& request);

/// Resizes as torchvision's resize(antialias=True) does on uint8 tensors, bit for bit: 16-bit weights, columns
/// first. Filters bilinear, bicubic and Lanczos.
Pixels resizeTorchvision(const Pixels& source, const ResizeRequest& request);

/// Resizes the values table[byte] (one table for all channels) as torch's interpolate(antialias=True) does on
/// float32, to about 1e-6 of the largest value; filters nearest, bilinear and bicubic (a = -0.5). Returns
/// planes [3, window height, window width].
std::vector<float> resizeAntialiased(const Pixels& source, const std::array<float, 256>& table,
                                     const ResizeRequest& request);

}  // namespace fovea
