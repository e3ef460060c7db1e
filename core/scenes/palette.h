#pragma once

#include "fovea/scenes.h"
#include "scenes/canvas.h"

namespace fovea::scenes {

/// The colour as drawn in full light.
Color paletteColor(SceneColor color);
/// What stripes, dots, checks and gradients of that colour are drawn with: lighter or darker, of the same
/// hue.
Color accentColor(SceneColor color);

}  // namespace fovea::scenes
