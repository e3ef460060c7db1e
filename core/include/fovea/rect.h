#pragma once

namespace fovea {

/// An axis-parallel rectangle in pixels, y downwards; width and height are not negative.
struct Rect {
    double x = 0;
    double y = 0;
    double width = 0;
    double height = 0;

    bool contains(double px, double py) const {
        return px >= x && px < x + width && py >= y && py < y + height;
    }
    bool empty() const { return width <= 0 || height <= 0; }
    bool operator==(const Rect&) const = default;
};

}  // namespace fovea
