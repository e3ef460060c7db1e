#pragma once

#include <cfloat>
#include <cstddef>
#include <limits>
#include <vector>

#include "fovea/pixels.h"

// A scene's bytes are the same everywhere only where floats are IEEE-754 and evaluated as floats.
static_assert(std::numeric_limits<float>::is_iec559 && FLT_EVAL_METHOD == 0, "needs IEEE float arithmetic");

namespace fovea::scenes {

struct Color {
    float r = 0, g = 0, b = 0;  // sRGB, 0 to 1
};

inline Color rgb(int r, int g, int b) {
    return {static_cast<float>(r) / 255.0f, static_cast<float>(g) / 255.0f, static_cast<float>(b) / 255.0f};
}
inline float mix(float a, float b, float t) {
    return a + (b - a) * t;
}
inline Color mix(Color a, Color b, float t) {
    return {mix(a.r, b.r, t), mix(a.g, b.g, t), mix(a.b, b.b, t)};
}
inline Color scaled(Color c, float f) {
    return {c.r * f, c.g * f, c.b * f};
}
inline float clamp01(float v) {
    return v < 0.0f ? 0.0f : (v > 1.0f ? 1.0f : v);
}
inline float smooth01(float v) {
    const float t = clamp01(v);
    return t * t * (3.0f - 2.0f * t);
}
inline float absolute(float v) {
    return v < 0.0f ? -v : v;
}
inline float minimum(float a, float b) {
    return a < b ? a : b;
}
inline float maximum(float a, float b) {
    return a > b ? a : b;
}
/// Largest integer not above v, for |v| < 2^31.
inline int floorInt(float v) {
    const int i = static_cast<int>(v);
    return i - (static_cast<float>(i) > v ? 1 : 0);
}
/// Distance of v from the nearest integer, 0 to 0.5.
inline float wave(float v) {
    const float f = v - static_cast<float>(floorInt(v));
    return f < 0.5f ? f : 1.0f - f;
}

/// Three float planes, [height, width] each; values may leave 0..1 until they are quantised.
struct Canvas {
    int width = 0, height = 0;
    std::vector<float> r, g, b;

    Canvas(int w, int h) : width(w), height(h), r(count()), g(count()), b(count()) {}
    std::size_t count() const { return static_cast<std::size_t>(width) * static_cast<std::size_t>(height); }
    std::size_t row(int y) const { return static_cast<std::size_t>(y) * static_cast<std::size_t>(width); }
    void set(std::size_t i, Color c) { r[i] = c.r, g[i] = c.g, b[i] = c.b; }
    void blend(std::size_t i, Color c, float alpha) {
        r[i] = mix(r[i], c.r, alpha), g[i] = mix(g[i], c.g, alpha), b[i] = mix(b[i], c.b, alpha);
    }
};

struct Segment {
    float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
    float halfWidth = 1;
};

/// Draws a line with round ends, anti-aliased.
void drawSegment(Canvas& canvas, const Segment& segment, Color color, float alpha);
/// Multiplies a slanting light and a vignette into the canvas.
void applyLight(Canvas& canvas, float slopeX, float slopeY, float vignette);
/// Rounds to bytes with a fine grain (fixed by the seed) that hides banding.
Pixels quantise(const Canvas& canvas, unsigned grainSeed);

}  // namespace fovea::scenes
