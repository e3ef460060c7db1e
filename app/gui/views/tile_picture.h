#pragma once

#include <string>
#include <vector>

#include "fovea/model.h"
#include "fovea/vision_image.h"
#include "fovea/viz/picture.h"

namespace fovea::gui {

/// Marks that drawing adds to, to be put into a picture in this order.
struct TileLayers {
    viz::Layer images{"image", {}}, outlines{"grid", {}}, words{"text", {}};
    std::vector<viz::HitArea> hits;
};

/// Whether the model saw a picture as several tiles, or a video as frames.
bool isTiled(const VisionImage& picture);
/// "2 x 3 tiles of 336 x 336 and an overview", rows first; "4 frames of 280 x 280".
std::string tilesText(const VisionImage& picture);
/// Draws the tiles in their grid, each with its label, the overview beside them; (left, top) is their upper left corner.
/// Returns their lower right corner.
viz::Point addTiles(TileLayers& layers, const VisionImage& picture, double left, double top);
/// Outlines what each tile shows over the original, which lies in `target` of the picture.
void outlineTiles(TileLayers& layers, const VisionImage& picture, const Rect& target);
/// Outlines the windows (pixels of the original) over the original.
void outlineWindows(TileLayers& layers, const VisionImage& picture, const std::vector<Rect>& windows, const Rect& target);
/// Which sites look within windows only, and which over the whole picture: "Yellow: windows. Blocks 0-6, 8 of vision look
/// within one window only; blocks 7 over the whole picture."; empty where none does.
std::string windowsText(const ModelSpec* spec);

}  // namespace fovea::gui
