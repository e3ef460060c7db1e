#include "scenes/palette.h"
#include "scenes/parts.h"

namespace fovea::scenes {
namespace {

Color strayColor(Rng& rng) {
    if (rng.chance(0.4f)) {
        const float grey = rng.range(0.12f, 0.9f);
        return {grey, grey, grey * 0.97f};
    }
    return mix(paletteColor(static_cast<SceneColor>(rng.below(kSceneColors))), {0.5f, 0.5f, 0.5f}, 0.35f);
}

// A line that bends once or twice, as a stray thread or pencil stroke does.
void paintThread(Canvas& canvas, float unit, float alpha, Rng& rng) {
    const auto width = static_cast<float>(canvas.width), height = static_cast<float>(canvas.height);
    Segment s;
    s.halfWidth = maximum(rng.range(0.45f, 1.0f) * unit, 0.4f);
    s.x0 = rng.range(0.0f, width);
    s.y0 = rng.range(0.0f, height);
    float dx = rng.range(-70, 70) * unit, dy = rng.range(-70, 70) * unit;
    const Color color = strayColor(rng);
    for (int bends = rng.between(1, 3); bends > 0; --bends) {
        s.x1 = s.x0 + dx;
        s.y1 = s.y0 + dy;
        drawSegment(canvas, s, color, alpha);
        s.x0 = s.x1;
        s.y0 = s.y1;
        const float turn = rng.range(-0.7f, 0.7f);
        const float turned = dx + turn * dy;
        dy -= turn * dx;
        dx = turned;
    }
}

void paintSpecks(Canvas& canvas, float unit, int count, Rng& rng) {
    for (int i = 0; i < count; ++i) {
        Segment s;
        s.x0 = s.x1 = rng.range(0.0f, static_cast<float>(canvas.width));
        s.y0 = s.y1 = rng.range(0.0f, static_cast<float>(canvas.height));
        s.halfWidth = rng.range(0.7f, 2.4f) * unit;
        // Some are dashes rather than dots.
        if (rng.chance(0.3f)) {
            s.x1 += rng.range(-6, 6) * unit;
            s.y1 += rng.range(-6, 6) * unit;
            s.halfWidth = minimum(s.halfWidth, 1.3f * unit);
        }
        const Color color = strayColor(rng);
        drawSegment(canvas, s, color, rng.range(0.45f, 0.85f));
    }
}

}  // namespace

void paintClutterBelow(Canvas& canvas, float unit, Rng& rng) {
    for (int lines = rng.between(2, 6); lines > 0; --lines) paintThread(canvas, unit, 0.55f, rng);
    paintSpecks(canvas, unit, rng.between(8, 26), rng);
}

void paintClutterAbove(Canvas& canvas, float unit, Rng& rng) {
    for (int lines = rng.between(0, 2); lines > 0; --lines) paintThread(canvas, unit, 0.5f, rng);
    paintSpecks(canvas, unit, rng.between(0, 6), rng);
}

void paintBrackets(Canvas& canvas, const SceneBox& box, float unit) {
    const float pad = 5.0f * unit, edge = 3.0f * unit;
    const float left = maximum(static_cast<float>(box.x) - pad, edge);
    const float top = maximum(static_cast<float>(box.y) - pad, edge);
    const float right =
        minimum(static_cast<float>(box.x + box.width) + pad, static_cast<float>(canvas.width) - edge);
    const float bottom =
        minimum(static_cast<float>(box.y + box.height) + pad, static_cast<float>(canvas.height) - edge);
    const float arm = 0.26f * minimum(right - left, bottom - top);
    // A dark rim under white strokes shows on every background.
    for (const bool rim : {true, false}) {
        const float half = maximum((rim ? 2.2f : 1.2f) * unit, rim ? 1.2f : 0.6f);
        const Color color = rim ? rgb(18, 18, 22) : rgb(255, 255, 255);
        for (const float x : {left, right}) {
            for (const float y : {top, bottom}) {
                const float inX = x == left ? arm : -arm, inY = y == top ? arm : -arm;
                drawSegment(canvas, {x, y, x + inX, y, half}, color, 1.0f);
                drawSegment(canvas, {x, y, x, y + inY, half}, color, 1.0f);
            }
        }
    }
}

}  // namespace fovea::scenes
