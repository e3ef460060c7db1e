#pragma once

namespace fovea {

/// An axis-parallel rectangle in pixels, y downwards; width and height are not negative.
struct Rect {
    double x = 0;
    double y = 0;
    double width = 0;
    double height = 0;

    bool operator==(const Rect&) const = default;
};

}  // namespace fovea
