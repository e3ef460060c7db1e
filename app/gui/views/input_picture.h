#pragma once

#include "fovea/model.h"
#include "fovea/viz/picture.h"

namespace fovea::gui {

/// "What the model saw": the original with the area that tokens read, beside the model's own picture with its
/// token grid; prefix tokens as chips below. Colours suit a white ground.
/// Pictures that were cut into tiles are shown tile by tile, and the windows of a vision tower whose sites (`spec`, may be
/// null) look within windows only.
viz::Picture pictureOfInput(const ModelInput& input, int item, const ModelSpec* spec = nullptr);

/// The picture's pixels as an opaque RGBA raster, reduced by whole steps to at most `longest` on the long
/// side.
viz::RasterMark rasterOf(const Pixels& pixels, const Rect& target, int longest);

}  // namespace fovea::gui
