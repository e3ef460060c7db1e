#pragma once

#include <vector>

#include "fovea/image_processor.h"
#include "fovea/token_map.h"
#include "fovea/vision_image.h"
#include "nn/vlm_family.h"

namespace fovea {

/// Where the pixels of one pass lie: in which pictures of the token map (one a frame of a clip), and where there.
struct PictureView {
    std::vector<int> images;
    PixelTransform transform;
};

/// The passes of one picture.
using PictureViews = std::vector<PictureView>;

/// A picture of which nothing is known but the tensors: every pass stands for a picture of its own size.
PictureViews viewsOfTensors(const VlmPicture& picture, const VisionTower& tower, std::vector<ImageGeometry>& images);

/// The passes of a picture that a processor made, picture `first` of the token map, or its first of a film's, one for
/// each step of time. Throws Error (Input) for a picture without tiles.
PictureViews viewsOfImage(const VisionImage& image, const VlmPicture& picture, int first);

/// Size, grid and what no token reads of that picture, whose tokens stand for `cells`.
ImageGeometry geometryOf(const VisionImage& image, const std::vector<FeatureCell>& cells, const VlmPicture& picture,
                         const VisionTower& tower);

/// The same passes in their order, `counts[i]` of them in picture i; pictures that have as many already stay as they are.
/// Throws Error (Input) where the passes do not add up, or where the grid of a picture's tiles would be lost.
std::vector<VlmPicture> grouped(std::vector<VlmPicture> pictures, const std::vector<std::size_t>& counts);

/// The same passes, grouped by the pictures that a processor made; throws Error as grouped().
std::vector<VlmPicture> regrouped(std::vector<VlmPicture> pictures, const std::vector<VisionImage>& images);

/// The tower's tokens in one pass with their rectangles; pictures as the token map counts them.
StageTokens passTokens(const TowerInput& input, const VisionTower& tower, const PictureView& view);

/// A token map of one pass alone: its tokens and the pictures that they read.
TokenMap passMap(const TowerInput& input, const VisionTower& tower, const PictureView& view,
                 const std::vector<ImageGeometry>& images);

/// What one image token of the decoder is: kind, picture, cell and rectangle; index and place stay. Throws Error
/// (Input) for a cell that is no part of the picture.
void describeCell(Token& token, const FeatureCell& cell, const VlmPicture& picture, const PictureViews& views,
                  const VisionTower& tower);

}  // namespace fovea
