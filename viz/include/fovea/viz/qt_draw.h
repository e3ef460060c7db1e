#pragma once

#include "fovea/viz/picture.h"

class QPainter;

namespace fovea::viz {

/// Replays the display list with the painter's current transform, the picture's top left corner at the origin
/// and one picture unit to one painter unit; the background is drawn too. Leaves the painter as it was.
void draw(QPainter& painter, const Picture& picture);

/// The same for a single layer and without background, for views that show, hide or move layers on their own.
void draw(QPainter& painter, const Layer& layer);

}  // namespace fovea::viz
