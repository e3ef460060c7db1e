#pragma once

#include <string>
#include <vector>

#include "picture/grid_view.h"

namespace fovea::viz {

/// Draws heat, token grid, outlines of sinks and selected tokens and read-outs of one map over the original in `frame`;
/// `label` names the picture in the read-outs where there are several.
void addHeatMap(Figure& figure, const PaintInput& input, const GridView& view, const ImageFrame& frame, const ColorBar& bar,
                const std::string& label = {});

/// What has to be said about values among which no place stands out; empty where one does.
std::string flatness(const std::vector<float>& values);

}  // namespace fovea::viz
