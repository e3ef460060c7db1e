#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fovea {

/// An 8-bit RGB image in memory, upright (after EXIF orientation), rows top to bottom, three interleaved
/// bytes a pixel; colours are those that the file stores, not multiplied by alpha.
struct Pixels {
    int width = 0;
    int height = 0;
    std::vector<std::uint8_t> rgb;  // [height, width, 3]
    std::vector<std::uint8_t> alpha;  // [height, width], 0 transparent to 255 opaque; empty: opaque throughout

    Pixels() = default;
    /// Makes a black image; width and height must not be negative.
    Pixels(int w, int h)
        : width(w), height(h), rgb(static_cast<std::size_t>(w) * static_cast<std::size_t>(h) * 3) {}

    bool empty() const { return width <= 0 || height <= 0; }
    /// The three bytes of the pixel in column x of row y; no bounds check.
    std::uint8_t* at(int x, int y) { return rgb.data() + 3 * (static_cast<std::size_t>(y) * width + x); }
    const std::uint8_t* at(int x, int y) const {
        return rgb.data() + 3 * (static_cast<std::size_t>(y) * width + x);
    }
    bool operator==(const Pixels&) const = default;
};

}  // namespace fovea
