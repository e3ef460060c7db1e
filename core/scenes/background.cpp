#include <array>
#include <cmath>

#include "scenes/parts.h"

namespace fovea::scenes {
namespace {

// Muted colours, so that no background is mistaken for an object.
const std::array<Color, 10> kMuted{
    {rgb(70, 80, 96), rgb(198, 184, 160), rgb(138, 152, 134), rgb(160, 126, 106), rgb(186, 196, 205),
     rgb(64, 62, 66), rgb(98, 124, 130), rgb(162, 152, 172), rgb(122, 108, 92), rgb(214, 206, 192)}};

// Smooth noise in 0..1: random values on a lattice, blended smoothly between.
class Noise {
public:
    Noise(float width, float height, float cellX, float cellY, Rng& rng)
        : m_cellX(1.0f / cellX), m_cellY(1.0f / cellY), m_columns(floorInt(width * m_cellX) + 3) {
        const int rows = floorInt(height * m_cellY) + 3;
        m_values.resize(static_cast<std::size_t>(m_columns) * static_cast<std::size_t>(rows));
        for (float& v : m_values) v = rng.unit();
        m_row.resize(static_cast<std::size_t>(m_columns));
    }
    // Fixes y (>= 0); at(x) then answers for x >= 0 along that row.
    void setRow(float y) {
        const float v = y * m_cellY;
        const int row = floorInt(v);
        const float t = smooth01(v - static_cast<float>(row));
        const float* a = m_values.data() + static_cast<std::size_t>(row) * m_row.size();
        const float* b = a + m_columns;
        for (std::size_t i = 0; i < m_row.size(); ++i) m_row[i] = mix(a[i], b[i], t);
    }
    float at(float x) const {
        const float u = x * m_cellX;
        const auto column = static_cast<std::size_t>(floorInt(u));
        const float t = u - static_cast<float>(static_cast<int>(column));
        return mix(m_row[column], m_row[column + 1], t * t * (3.0f - 2.0f * t));
    }

private:
    float m_cellX, m_cellY;
    int m_columns;
    std::vector<float> m_values, m_row;
};

struct Surface {
    Canvas& canvas;
    float width, height, unit;
    Color first, second;
    Rng& rng;
};

void paintGradient(const Surface& s) {
    const Color third = mix(s.first, s.second, s.rng.range(0.2f, 0.8f));
    const float tilt = s.rng.range(-0.6f, 0.6f);
    Noise noise(s.width, s.height, 70 * s.unit, 70 * s.unit, s.rng);
    for (int y = 0; y < s.canvas.height; ++y) {
        noise.setRow(static_cast<float>(y));
        const float v = static_cast<float>(y) / s.height;
        for (int x = 0; x < s.canvas.width; ++x) {
            const float u = static_cast<float>(x) / s.width;
            const float t =
                smooth01(v + tilt * (u - 0.5f) + 0.35f * (noise.at(static_cast<float>(x)) - 0.5f));
            s.canvas.set(s.canvas.row(y) + static_cast<std::size_t>(x),
                         mix(mix(s.first, third, u), s.second, t));
        }
    }
}

void paintClouds(const Surface& s) {
    Noise coarse(s.width, s.height, 58 * s.unit, 58 * s.unit, s.rng);
    Noise middle(s.width, s.height, 23 * s.unit, 23 * s.unit, s.rng);
    Noise fine(s.width, s.height, 7 * s.unit, 7 * s.unit, s.rng);
    for (int y = 0; y < s.canvas.height; ++y) {
        const auto fy = static_cast<float>(y);
        coarse.setRow(fy), middle.setRow(fy), fine.setRow(fy);
        for (int x = 0; x < s.canvas.width; ++x) {
            const auto fx = static_cast<float>(x);
            const float sum = 0.55f * coarse.at(fx) + 0.3f * middle.at(fx) + 0.15f * fine.at(fx);
            s.canvas.set(s.canvas.row(y) + static_cast<std::size_t>(x),
                         mix(s.first, s.second, smooth01((sum - 0.25f) * 2.0f)));
        }
    }
}

void paintTiles(const Surface& s) {
    const float side = s.rng.range(26, 46) * s.unit;
    const float ratio = s.rng.chance(0.5f) ? 1.0f : s.rng.range(1.5f, 2.2f);
    const float stagger = s.rng.chance(0.6f) ? 0.5f : 0.0f;
    const float grout = 1.1f * s.unit;
    const float offsetX = s.rng.unit(), offsetY = s.rng.unit();
    const Color groutColor = scaled(s.second, s.rng.chance(0.5f) ? 0.62f : 1.12f);
    const int columns = floorInt(s.width / (side * ratio)) + 4, rows = floorInt(s.height / side) + 4;
    std::vector<float> tone(static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows));
    for (float& t : tone) t = s.rng.range(-0.075f, 0.075f);
    Noise noise(s.width, s.height, 9 * s.unit, 9 * s.unit, s.rng);
    for (int y = 0; y < s.canvas.height; ++y) {
        noise.setRow(static_cast<float>(y));
        const float v = static_cast<float>(y) / side + offsetY;
        const int tileY = floorInt(v);
        const float edgeY = wave(v) * side;
        for (int x = 0; x < s.canvas.width; ++x) {
            const float u =
                static_cast<float>(x) / (side * ratio) + offsetX + stagger * static_cast<float>(tileY % 2);
            const float edgeX = wave(u) * side * ratio;
            const std::size_t tile = static_cast<std::size_t>(tileY) * static_cast<std::size_t>(columns) +
                                     static_cast<std::size_t>(floorInt(u));
            const float light = 1.0f + tone[tile] + 0.08f * (noise.at(static_cast<float>(x)) - 0.5f);
            const float joint = 1.0f - smooth01((minimum(edgeX, edgeY) - grout * 0.5f) / s.unit);
            s.canvas.set(s.canvas.row(y) + static_cast<std::size_t>(x),
                         mix(scaled(s.first, light), groutColor, joint));
        }
    }
}

void paintWood(const Surface& s) {
    const std::array<Color, 4> woods{
        {rgb(164, 124, 88), rgb(128, 94, 66), rgb(196, 164, 124), rgb(104, 84, 70)}};
    const Color base = woods[static_cast<std::size_t>(s.rng.below(4))];
    const float plank = s.rng.range(30, 56) * s.unit;
    const float offset = s.rng.unit();
    const float rings = s.rng.range(0.10f, 0.2f) / s.unit;
    std::vector<float> tone(static_cast<std::size_t>(floorInt(s.height / plank) + 3)), shift(tone.size());
    for (std::size_t i = 0; i < tone.size(); ++i)
        tone[i] = s.rng.range(-0.10f, 0.10f), shift[i] = s.rng.range(0, 40);
    Noise bend(s.width + 40 * s.unit, s.height, 64 * s.unit, 12 * s.unit, s.rng);
    Noise fibre(s.width + 40 * s.unit, s.height, 26 * s.unit, 1.3f * s.unit, s.rng);
    for (int y = 0; y < s.canvas.height; ++y) {
        const auto fy = static_cast<float>(y);
        bend.setRow(fy), fibre.setRow(fy);
        const float v = fy / plank + offset;
        const auto board = static_cast<std::size_t>(floorInt(v));
        const float joint = 1.0f - smooth01((wave(v) * plank - 0.4f * s.unit) / s.unit);
        for (int x = 0; x < s.canvas.width; ++x) {
            const float fx = static_cast<float>(x) + shift[board] * s.unit;
            const float ring = smooth01(2.0f * wave(fy * rings + 3.0f * bend.at(fx)));
            const float light = 1.0f + tone[board] + 0.13f * (ring - 0.5f) + 0.16f * (fibre.at(fx) - 0.5f);
            s.canvas.set(s.canvas.row(y) + static_cast<std::size_t>(x),
                         scaled(base, light * (1.0f - 0.45f * joint)));
        }
    }
}

void paintLinen(const Surface& s) {
    const float thread = s.rng.range(3.0f, 4.6f) * s.unit;
    const Color base = mix(s.first, s.second, 0.3f);
    Noise across(s.width, s.height, 1.4f * thread, 14 * s.unit, s.rng);
    Noise along(s.width, s.height, 14 * s.unit, 1.4f * thread, s.rng);
    Noise patch(s.width, s.height, 80 * s.unit, 80 * s.unit, s.rng);
    for (int y = 0; y < s.canvas.height; ++y) {
        const auto fy = static_cast<float>(y);
        across.setRow(fy), along.setRow(fy), patch.setRow(fy);
        const float weft = wave(fy / thread);
        for (int x = 0; x < s.canvas.width; ++x) {
            const auto fx = static_cast<float>(x);
            const float weave = (weft - 0.25f) * (wave(fx / thread) - 0.25f) * 0.9f;
            const float light =
                1.0f + weave + 0.11f * (across.at(fx) + along.at(fx) - 1.0f) + 0.2f * (patch.at(fx) - 0.5f);
            s.canvas.set(s.canvas.row(y) + static_cast<std::size_t>(x), scaled(base, light));
        }
    }
}

}  // namespace

void paintBackground(Canvas& canvas, SceneBackground kind, float unit, Rng rng) {
    const int first = rng.below(static_cast<int>(kMuted.size()));
    const int second =
        (first + 1 + rng.below(static_cast<int>(kMuted.size()) - 1)) % static_cast<int>(kMuted.size());
    const Surface surface{
        canvas, static_cast<float>(canvas.width),        static_cast<float>(canvas.height),
        unit,   kMuted[static_cast<std::size_t>(first)], kMuted[static_cast<std::size_t>(second)],
        rng};
    switch (kind) {
        case SceneBackground::Gradient:
            paintGradient(surface);
            break;
        case SceneBackground::Clouds:
            paintClouds(surface);
            break;
        case SceneBackground::Tiles:
            paintTiles(surface);
            break;
        case SceneBackground::Wood:
            paintWood(surface);
            break;
        case SceneBackground::Linen:
            paintLinen(surface);
            break;
    }
}

}  // namespace fovea::scenes
