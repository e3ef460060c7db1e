#include <algorithm>
#include <string>

#include "fovea/error.h"
#include "scenes/parts.h"
#include "scenes/shapes.h"

namespace fovea {
namespace {

using namespace scenes;

void checkOptions(const SceneOptions& o) {
    const auto fail = [](const std::string& what, const std::string& hint) {
        throw Error(what, hint, ErrorCode::Usage);
    };
    const auto inRange = [](int side) { return side >= kSceneMinSide && side <= kSceneMaxSide; };
    if (!inRange(o.width) || !inRange(o.height)) {
        fail("scene size: expected width and height from " + std::to_string(kSceneMinSide) + " to " +
                 std::to_string(kSceneMaxSide) + ", found " + std::to_string(o.width) + " x " +
                 std::to_string(o.height),
             "224 x 224 is what the demo models read");
    }
    if (o.minObjects < 1 || o.maxObjects < o.minObjects || o.maxObjects > 24) {
        fail("scene objects: expected 1 <= minimum <= maximum <= 24, found minimum " +
                 std::to_string(o.minObjects) + " and maximum " + std::to_string(o.maxObjects),
             "the default is 4 to 9");
    }
}

void measureVisible(Scene& scene) {
    struct Extent {
        int left, top, right, bottom;
    };
    std::vector<Extent> extents(scene.objects.size(), {scene.image.width, scene.image.height, -1, -1});
    std::size_t i = 0;
    for (int y = 0; y < scene.image.height; ++y) {
        for (int x = 0; x < scene.image.width; ++x, ++i) {
            if (scene.owner[i] < 0) continue;
            const auto index = static_cast<std::size_t>(scene.owner[i]);
            ++scene.objects[index].visiblePixels;
            Extent& e = extents[index];
            e = {std::min(e.left, x), std::min(e.top, y), std::max(e.right, x), std::max(e.bottom, y)};
        }
    }
    for (std::size_t k = 0; k < extents.size(); ++k) {
        const Extent& e = extents[k];
        if (e.right >= 0) scene.objects[k].box = {e.left, e.top, e.right - e.left + 1, e.bottom - e.top + 1};
    }
}

// An object that is mostly visible, else the least covered one.
int chooseTarget(const std::vector<SceneObject>& objects, Rng& rng) {
    const auto visible = [](const SceneObject& o) {
        return static_cast<float>(o.visiblePixels) / static_cast<float>(std::max(o.fullPixels, 1));
    };
    std::vector<int> clear;
    int best = 0;
    for (std::size_t i = 0; i < objects.size(); ++i) {
        if (visible(objects[i]) >= 0.7f) clear.push_back(static_cast<int>(i));
        if (visible(objects[i]) > visible(objects[static_cast<std::size_t>(best)]))
            best = static_cast<int>(i);
    }
    return clear.empty() ? best : clear[static_cast<std::size_t>(rng.below(static_cast<int>(clear.size())))];
}

Light makeLight(Rng& rng) {
    Light light;
    // From above, as lamps and the sun are: 30 to 150 degrees.
    cosineSine(-rng.between(30, 150), light.x, light.y);
    light.strength = rng.range(0.05f, 0.17f);
    light.shadow = rng.range(0.34f, 0.55f);
    return light;
}

}  // namespace

Scene makeScene(const SceneOptions& options) {
    checkOptions(options);
    const std::uint64_t seed = options.seed;
    const float unit = sceneUnit(options);
    Scene scene;
    scene.options = options;
    scene.objects = layOut(options, Rng(seed, kLayoutStream));
    Canvas canvas(options.width, options.height);
    scene.owner.assign(canvas.count(), -1);

    Rng backgroundRng(seed, kBackgroundStream);
    scene.background = static_cast<SceneBackground>(backgroundRng.below(5));
    paintBackground(canvas, scene.background, unit, backgroundRng);

    Rng clutterRng(seed, kClutterStream), textureRng(seed, kTextureStream), lightRng(seed, kLightStream);
    const Light light = makeLight(lightRng);
    const bool clutter = options.clutter == SceneClutter::Normal;
    if (clutter) paintClutterBelow(canvas, unit, clutterRng);
    for (SceneObject& object : scene.objects) {
        paintObject(canvas, object, scene.owner, ObjectPaint{light, unit, textureRng});
    }
    if (clutter) paintClutterAbove(canvas, unit, clutterRng);
    const float vignette = lightRng.range(0.0f, 0.16f);
    applyLight(canvas, light.strength * light.x, light.strength * light.y, vignette);

    scene.image = Pixels(options.width, options.height);
    measureVisible(scene);
    Rng questionRng(seed, kQuestionStream);
    scene.target = chooseTarget(scene.objects, questionRng);
    if (options.mark == SceneMark::Brackets) {
        paintBrackets(canvas, scene.objects[static_cast<std::size_t>(scene.target)].fullBox, unit);
    }
    scene.image = quantise(canvas, static_cast<unsigned>(seed * 0x9E3779B9u + (seed >> 32)));
    scene.questions = askQuestions(scene, questionRng);
    return scene;
}

}  // namespace fovea
