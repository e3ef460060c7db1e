#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "fovea/pixels.h"
#include "fovea/rect.h"

namespace fovea::viz {

/// An sRGB colour with straight alpha.
struct Color {
    std::uint8_t r = 0, g = 0, b = 0, a = 255;
    bool operator==(const Color&) const = default;
};

struct Point {
    double x = 0, y = 0;
    bool operator==(const Point&) const = default;
};

/// Line colour (a = 0: none), width in picture units, and fill (a = 0: none).
struct Style {
    Color stroke{0, 0, 0, 255};
    double width = 1;
    Color fill{0, 0, 0, 0};
    bool dashed = false;
    bool operator==(const Style&) const = default;
};

/// A raster, RGBA straight alpha, drawn into `target`; smooth asks for interpolation, otherwise cells stay
/// sharp.
struct RasterMark {
    Rect target;
    int width = 0, height = 0;
    std::shared_ptr<const std::vector<std::uint8_t>> rgba;  // [height, width, 4]
    bool smooth = false;
    double opacity = 1;
};

struct RectMark {
    Rect rect;
    Style style;
    double radius = 0;  ///< of the corners
};

struct EllipseMark {
    Rect rect;
    Style style;
};

/// A polyline, or a polygon when closed; `arrow` puts a head at the end.
struct LineMark {
    std::vector<Point> points;
    Style style;
    bool closed = false;
    bool arrow = false;
};

/// A quadratic curve from a to b through the control point.
struct CurveMark {
    Point a, control, b;
    Style style;
};

enum class Anchor { Start, Middle, End };

/// One line of text; `position` is the anchor on the baseline; size is the font size in picture units.
struct TextMark {
    Point position;
    std::string text;
    double size = 12;
    Color color{0, 0, 0, 255};
    Anchor anchor = Anchor::Start;
    bool bold = false;
    bool monospace = false;
    double rotation = 0;  ///< degrees, clockwise
};

using Mark = std::variant<RasterMark, RectMark, EllipseMark, LineMark, CurveMark, TextMark>;

/// A named group of marks; drawn in order, without clipping.
struct Layer {
    std::string name;  ///< "image", "heat", "grid", "legend", "recipe", ...
    std::vector<Mark> marks;
};

/// A part of the picture that stands for something, for hover and click read-outs.
struct HitArea {
    Rect rect;
    int token = -1;
    std::string stage;
    double value = 0;   ///< raw value; NaN when there is none
    std::string label;  ///< text of the read-out
    Rect source;        ///< pixels of the original picture that the area stands for; empty when none
};

/// Where an upright original lies in a picture, so that places of one are places of the other.
struct ImageArea {
    int image = 0;  ///< index into TokenMap::images
    Rect target;    ///< picture units
    Rect source;    ///< the pixels of the original that `target` shows
};

/// A display list in picture units (1 unit = 1/96 inch): what screen, PNG, SVG and PDF replay alike.
struct Picture {
    double width = 0, height = 0;
    Color background{255, 255, 255, 255};
    std::vector<Layer> layers;
    std::vector<HitArea> hits;
    std::vector<ImageArea> images;  ///< the originals that it shows
    std::string title;     ///< plain text, for metadata and accessibility
    std::string recipe;    ///< one line
    std::string document;  ///< JSON that reproduces the picture, for the file's metadata
};

}  // namespace fovea::viz
