#pragma once

#include <vector>

#include "fovea/scenes.h"
#include "scenes/canvas.h"
#include "scenes/rng.h"

// The parts makeScene is put together from, in the order it calls them.
namespace fovea::scenes {

/// Where the light comes from; a shadow falls the other way.
struct Light {
    float x = 0, y = 0;  // direction in the picture towards the light, length 1
    float strength = 0;
    float shadow = 0;
};

/// Streams of a scene's random numbers: one for each part.
enum Stream : unsigned {
    kLayoutStream,
    kBackgroundStream,
    kClutterStream,
    kTextureStream,
    kLightStream,
    kQuestionStream
};

/// One pixel of a 224-pixel scene, in pixels of this one: the unit all sizes scale with.
float sceneUnit(const SceneOptions& options);

/// Objects with all but the fields that drawing fills in, farthest first.
std::vector<SceneObject> layOut(const SceneOptions& options, Rng rng);

void paintBackground(Canvas& canvas, SceneBackground kind, float unit, Rng rng);
void paintClutterBelow(Canvas& canvas, float unit, Rng& rng);
void paintClutterAbove(Canvas& canvas, float unit, Rng& rng);

struct ObjectPaint {
    const Light& light;
    float unit;
    Rng& rng;
};
/// Draws the object with its shadow over what is there, takes over its pixels in `owner`, sets fullBox and
/// fullPixels.
void paintObject(Canvas& canvas, SceneObject& object, std::vector<std::int16_t>& owner,
                 const ObjectPaint& paint);

void paintBrackets(Canvas& canvas, const SceneBox& box, float unit);

/// Questions that the ground truth answers without doubt; the first one is about the target.
std::vector<SceneQuestion> askQuestions(const Scene& scene, Rng rng);

}  // namespace fovea::scenes
