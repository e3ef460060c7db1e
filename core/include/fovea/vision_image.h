#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "fovea/image_processor.h"
#include "fovea/pixels.h"

namespace fovea {

/// When the frames of a video were taken; only prompts depend on it.
struct VideoTiming {
    double fps = 0;                     ///< of the file that the frames come from; 0: not known, taken as 24
    double duration = 0;                ///< of that file in seconds; 0: not known
    std::int64_t totalFrames = 0;       ///< of that file; 0: as many as there are frames here
    std::vector<std::int64_t> indices;  ///< in that file, ascending; empty: 0, 1, 2, ...
};

/// One crop of a picture as the vision tower sees it, and where its pixels lie in the upright original.
struct VisionTile {
    Pixels seen;
    PixelTransform transform;
    int row = 0;  ///< of the grid of crops
    int column = 0;
    bool overview = false;  ///< the whole picture, beside its crops
};

/// One picture (or video: one tile per frame, all of one size) made ready for a vision-language model.
struct VisionImage {
    int width = 0;  ///< the upright original
    int height = 0;
    int tileRows = 0;  ///< of the crops, the overview not counted; 0 when there is only one view
    int tileColumns = 0;
    std::vector<VisionTile> tiles;          ///< in the order of pixel_values, padding not counted
    std::array<std::int64_t, 3> gridThw{};  ///< Qwen: patches of time, rows, columns
    int frames = 1;
    VideoTiming timing;  ///< of a video
};

/// The part of the original that `inTile` (pixels of the tile) shows; empty for padding.
Rect originalRect(const VisionTile& tile, const Rect& inTile);

}  // namespace fovea
