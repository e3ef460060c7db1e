#include <cmath>

#include "scenes/palette.h"
#include "scenes/parts.h"
#include "scenes/shapes.h"

namespace fovea::scenes {
namespace {

// How much of the accent colour shows at local coordinates (u, v), pixels along the object's own axes.
class Texture {
public:
    Texture(const SceneObject& object, float unit, Rng& rng)
        : m_kind(object.texture), m_radius(object.radius) {
        m_period = maximum(rng.range(8.5f, 12.0f), 0.36f * object.radius / unit) * unit;
        m_shiftU = rng.unit();
        m_shiftV = rng.unit();
    }
    float accent(float u, float v) const {
        switch (m_kind) {
            case SceneTexture::Plain:
                return 0.0f;
            case SceneTexture::Striped:
                return stripe(u, m_shiftU, 0.26f);
            case SceneTexture::Dotted: {
                const float du = (0.5f - wave(u / m_period + m_shiftU)) * m_period;
                const float dv = (0.5f - wave(v / m_period + m_shiftV)) * m_period;
                return clamp01(0.29f * m_period - std::sqrt(du * du + dv * dv) + 0.5f);
            }
            case SceneTexture::Checked: {
                const float a = stripe(u * 0.75f, m_shiftU, 0.25f), b = stripe(v * 0.75f, m_shiftV, 0.25f);
                return a + b - 2.0f * a * b;
            }
            case SceneTexture::Gradient:
                return clamp01(0.5f + 0.62f * u / m_radius);
        }
        return 0.0f;
    }

private:
    float stripe(float u, float shift, float share) const {
        return clamp01((wave(u / m_period + shift) - share) * m_period + 0.5f);
    }
    SceneTexture m_kind;
    float m_radius, m_period, m_shiftU, m_shiftV;
};

struct Span {
    int from, to;
};

// The part of [left, left + count) inside [0, limit).
Span clip(int left, int count, int limit) {
    return {left < 0 ? 0 : left, left + count > limit ? limit : left + count};
}

void castShadow(Canvas& canvas, const DistanceField& field, const Light& light, float unit) {
    const int shiftX = floorInt(-light.x * 5.5f * unit + 0.5f),
              shiftY = floorInt(-light.y * 5.5f * unit + 0.5f);
    const float blur = 1.0f / (9.0f * unit);
    const Span rows = clip(field.top + shiftY, field.height, canvas.height);
    const Span columns = clip(field.left + shiftX, field.width, canvas.width);
    for (int y = rows.from; y < rows.to; ++y) {
        const float* distance =
            field.distance.data() +
            static_cast<std::size_t>(y - shiftY - field.top) * static_cast<std::size_t>(field.width) -
            field.left - shiftX;
        const std::size_t row = canvas.row(y);
        for (int x = columns.from; x < columns.to; ++x) {
            const float keep = 1.0f - light.shadow * smooth01(0.5f - distance[x] * blur);
            const std::size_t i = row + static_cast<std::size_t>(x);
            canvas.r[i] *= keep, canvas.g[i] *= keep, canvas.b[i] *= mix(1.0f, keep, 0.94f);
        }
    }
}

}  // namespace

void paintObject(Canvas& canvas, SceneObject& object, std::vector<std::int16_t>& owner,
                 const ObjectPaint& paint) {
    const float unit = paint.unit;
    const DistanceField field = makeDistanceField(object, 7.0f * unit + 2.0f);
    castShadow(canvas, field, paint.light, unit);
    const Texture texture(object, unit, paint.rng);
    const Color base = paletteColor(object.color), other = accentColor(object.color);
    const float shade = 0.17f / object.radius;
    const float rim = 1.0f / maximum(2.4f * unit, 1.0f);
    int left = canvas.width, right = -1, top = canvas.height, bottom = -1;
    const Span rows = clip(field.top, field.height, canvas.height),
               columns = clip(field.left, field.width, canvas.width);
    object.fullPixels = 0;
    for (int y = rows.from; y < rows.to; ++y) {
        const float* distance =
            field.distance.data() +
            static_cast<std::size_t>(y - field.top) * static_cast<std::size_t>(field.width) - field.left;
        const float dy = static_cast<float>(y) + 0.5f - object.centerY;
        for (int x = columns.from; x < columns.to; ++x) {
            const float d = distance[x];
            if (d >= 0.5f) continue;
            const float dx = static_cast<float>(x) + 0.5f - object.centerX;
            const float u = field.cosine * dx + field.sine * dy, v = field.cosine * dy - field.sine * dx;
            // Lit from the side; the edge that faces the light shines, the other one darkens.
            const float facing = dx * paint.light.x + dy * paint.light.y;
            const float edge = clamp01(1.0f + d * rim);
            const float light = 1.0f + shade * facing + edge * (0.10f * facing / object.radius - 0.20f);
            const std::size_t i = canvas.row(y) + static_cast<std::size_t>(x);
            canvas.blend(i, scaled(mix(base, other, texture.accent(u, v)), light), clamp01(0.5f - d));
            if (d > 0.0f) continue;
            owner[i] = static_cast<std::int16_t>(object.depth);
            ++object.fullPixels;
            left = x < left ? x : left;
            right = x > right ? x : right;
            top = y < top ? y : top;
            bottom = y;
        }
    }
    object.fullBox =
        object.fullPixels > 0 ? SceneBox{left, top, right - left + 1, bottom - top + 1} : SceneBox{};
}

}  // namespace fovea::scenes
