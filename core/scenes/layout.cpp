#include <cmath>

#include "scenes/parts.h"

namespace fovea::scenes {
namespace {

constexpr float kMinRadius = 17.0f, kMaxRadius = 38.0f;  // units
constexpr int kTries = 60;

// The gap an object keeps, as a share of the sum of both radii: below 1 it may cover a part of the other.
float clearance(const std::vector<SceneObject>& placed, const SceneObject& candidate) {
    float least = 1e6f;
    for (const SceneObject& other : placed) {
        const float dx = other.centerX - candidate.centerX, dy = other.centerY - candidate.centerY;
        least = minimum(least, std::sqrt(dx * dx + dy * dy) / (other.radius + candidate.radius));
    }
    return least;
}

SceneSize sizeOf(float radiusInUnits) {
    const float third = (radiusInUnits - kMinRadius) / (kMaxRadius - kMinRadius) * 3.0f;
    return third < 1.0f ? SceneSize::Small : (third < 2.0f ? SceneSize::Medium : SceneSize::Large);
}

int rotationOf(SceneShape shape, Rng& rng) {
    const int turn = rng.below(360);
    // A heart that stands upright is easier on the eye.
    return shape == SceneShape::Heart ? turn % 71 - 35 : turn;
}

}  // namespace

float sceneUnit(const SceneOptions& options) {
    const int side = options.width < options.height ? options.width : options.height;
    return static_cast<float>(side) / 224.0f;
}

std::vector<SceneObject> layOut(const SceneOptions& options, Rng rng) {
    const float unit = sceneUnit(options);
    const auto width = static_cast<float>(options.width), height = static_cast<float>(options.height);
    const int count = rng.between(options.minObjects, options.maxObjects);
    // Many objects get smaller ones, so that a crowd stays readable.
    const float room = width * height / (unit * unit * 50176.0f);
    const float most =
        maximum(kMinRadius + 4.0f,
                minimum(kMaxRadius, kMaxRadius * std::sqrt(7.0f * room / static_cast<float>(count))));
    std::vector<SceneObject> objects;
    for (int i = 0; i < count; ++i) {
        SceneObject object;
        object.shape = static_cast<SceneShape>(rng.below(kSceneShapes));
        object.color = static_cast<SceneColor>(rng.below(kSceneColors));
        // Repeated shapes and colours make distractors and counting questions.
        const bool repeatShape = rng.chance(0.15f), repeatColor = rng.chance(0.2f);
        if (i > 0 && repeatShape) object.shape = objects[static_cast<std::size_t>(rng.below(i))].shape;
        if (i > 0 && repeatColor) object.color = objects[static_cast<std::size_t>(rng.below(i))].color;
        object.texture = static_cast<SceneTexture>(rng.below(kSceneTextures));
        object.rotation = rotationOf(object.shape, rng);
        object.depth = i;
        const float wanted = rng.chance(0.45f) ? 0.72f : 1.04f;
        SceneObject best;
        float bestClearance = -1.0f;
        float radius = rng.range(kMinRadius, most);
        for (int attempt = 0; attempt < kTries && bestClearance < wanted; ++attempt) {
            if (attempt > 30) radius = maximum(kMinRadius, radius * 0.96f);
            SceneObject candidate = object;
            candidate.radius = radius * unit;
            const float margin = candidate.radius + 5.0f * unit;
            candidate.centerX = rng.range(margin, width - margin);
            candidate.centerY = rng.range(margin, height - margin);
            const float gap = clearance(objects, candidate);
            if (gap > bestClearance) best = candidate, bestClearance = gap;
        }
        best.size = sizeOf(best.radius / unit);
        objects.push_back(best);
    }
    return objects;
}

}  // namespace fovea::scenes
