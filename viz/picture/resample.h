#pragma once

#include <span>
#include <vector>

#include "fovea/pixels.h"
#include "fovea/viz/painter.h"

namespace fovea::viz {

/// Values on a grid of cells sampled on a finer grid, [outRows, outColumns]; cell centres as everywhere (half
/// a cell from the edge), edges continued. Bicubic is Keys' kernel with a = -0.5, as Pillow has it. NaN cells
/// stay NaN over their whole area and do not spread: their weight goes to their neighbours.
std::vector<float> upsample(std::span<const float> values, int rows, int columns, int outRows, int outColumns,
                            Filter filter);

/// The image with at most maximumWidth x maximumHeight pixels, averaged over areas; the image itself when it
/// fits.
Pixels reduced(const Pixels& image, int maximumWidth, int maximumHeight);

}  // namespace fovea::viz
