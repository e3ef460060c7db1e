#pragma once

#include <vector>

#include "fovea/scenes.h"

namespace fovea::scenes {

/// Signed distances in pixels (negative inside) at the pixel centres of a window.
struct DistanceField {
    int left = 0, top = 0, width = 0, height = 0;  // window in image pixels; may reach outside the image
    float cosine = 1, sine = 0;                    // of the object's rotation
    std::vector<float> distance;                   // [height, width]
};

/// Cosine and sine of whole degrees by a polynomial, the same everywhere.
void cosineSine(int degrees, float& cosine, float& sine);

/// The distance field of an object, its window reaching `margin` pixels beyond the object's radius.
DistanceField makeDistanceField(const SceneObject& object, float margin);

}  // namespace fovea::scenes
