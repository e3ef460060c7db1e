#pragma once

#include <string>

#include "fovea/viz/painter.h"

namespace fovea::viz {

/// All maps of `input.cells` side by side, each over its picture under its label, with one colour bar for all of them;
/// `plane` and `fuse` as for gridView().
Picture paintSheet(const PaintInput& input, int plane, const std::string& fuse, double cut);

}  // namespace fovea::viz
