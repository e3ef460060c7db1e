#include "scenes/canvas.h"

#include <cmath>
#include <cstdint>

namespace fovea::scenes {

void drawSegment(Canvas& canvas, const Segment& s, Color color, float alpha) {
    const float reach = s.halfWidth + 1.0f;
    const float dx = s.x1 - s.x0, dy = s.y1 - s.y0;
    const float length2 = dx * dx + dy * dy;
    const float inverse = length2 > 0.0f ? 1.0f / length2 : 0.0f;
    const auto bound = [](float v, int limit) {
        return v < 0.0f ? 0 : (v > static_cast<float>(limit) ? limit : floorInt(v));
    };
    const int top = bound(minimum(s.y0, s.y1) - reach, canvas.height);
    const int bottom = bound(maximum(s.y0, s.y1) + reach + 1.0f, canvas.height);
    const int left = bound(minimum(s.x0, s.x1) - reach, canvas.width);
    const int right = bound(maximum(s.x0, s.x1) + reach + 1.0f, canvas.width);
    for (int y = top; y < bottom; ++y) {
        const float py = static_cast<float>(y) + 0.5f - s.y0;
        int from = left, to = right;
        // A steep line touches few columns of a row: skip the others.
        if (absolute(dy) > absolute(dx)) {
            const float middle = s.x0 + py * dx / dy;
            const float half = 1.5f * reach + 1.0f;
            const int low = bound(middle - half, canvas.width),
                      high = bound(middle + half + 1.0f, canvas.width);
            from = low > from ? low : from;
            to = high < to ? high : to;
        }
        const std::size_t row = canvas.row(y);
        for (int x = from; x < to; ++x) {
            const float px = static_cast<float>(x) + 0.5f - s.x0;
            const float t = clamp01((px * dx + py * dy) * inverse);
            const float ex = px - t * dx, ey = py - t * dy;
            const float distance = std::sqrt(ex * ex + ey * ey) - s.halfWidth;
            canvas.blend(row + static_cast<std::size_t>(x), color, alpha * clamp01(0.5f - distance));
        }
    }
}

void applyLight(Canvas& canvas, float slopeX, float slopeY, float vignette) {
    const float stepX = 2.0f / static_cast<float>(canvas.width),
                stepY = 2.0f / static_cast<float>(canvas.height);
    for (int y = 0; y < canvas.height; ++y) {
        const float v = (static_cast<float>(y) + 0.5f) * stepY - 1.0f;
        float* r = canvas.r.data() + canvas.row(y);
        float* g = canvas.g.data() + canvas.row(y);
        float* b = canvas.b.data() + canvas.row(y);
        for (int x = 0; x < canvas.width; ++x) {
            const float u = (static_cast<float>(x) + 0.5f) * stepX - 1.0f;
            const float light = 1.0f + slopeX * u + slopeY * v - vignette * (u * u + v * v) * 0.5f;
            r[x] *= light, g[x] *= light, b[x] *= light;
        }
    }
}

Pixels quantise(const Canvas& canvas, unsigned grainSeed) {
    Pixels out(canvas.width, canvas.height);
    const std::size_t count = canvas.count();
    std::uint8_t* bytes = out.rgb.data();
    const auto byte = [](float v) {
        return static_cast<std::uint8_t>(static_cast<int>(clamp01(v) * 255.0f + 0.5f));
    };
    for (std::size_t i = 0; i < count; ++i) {
        std::uint32_t h = static_cast<std::uint32_t>(i) * 0x9E3779B1u + grainSeed;
        h = (h ^ (h >> 15)) * 0x85EBCA6Bu;
        h = (h ^ (h >> 13)) * 0xC2B2AE35u;
        h ^= h >> 16;
        const float grain =
            (static_cast<float>(static_cast<int>(h & 0xFFFFu)) * (1.0f / 65536.0f) - 0.5f) * 0.018f;
        bytes[3 * i] = byte(canvas.r[i] + grain);
        bytes[3 * i + 1] = byte(canvas.g[i] + grain);
        bytes[3 * i + 2] = byte(canvas.b[i] + grain);
    }
    return out;
}

}  // namespace fovea::scenes
