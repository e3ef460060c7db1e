#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fovea/analysis.h"
#include "fovea/array.h"
#include "fovea/rect.h"

namespace fovea {

/// A picture, or a view of it, in a model's input tensor.
struct InputView {
    Array values;                                  // [3, height, width]
    int left = 0, top = 0, right = 0, bottom = 0;  ///< the pixels that show the original: padding lies around them
    Rect area;                                     ///< what they show, in pixels of the upright original
    int image = 0;                                 ///< of TokenMap::images
    std::string name;                              ///< "", or what tells it from the picture's others: "crops", "crop 0,1", "whole picture"
};

/// Whether the tensor that gradients are about holds several views (tiles, pictures) or Qwen's patches instead of one
/// picture on the grid of a stage. Throws Error (Usage) where it cannot be put back onto pictures: of films, of views that
/// were given as tensors.
bool holdsViews(const AnalysisContext& context);

/// Such a tensor's values on their pictures, in the order of the prompt: crops that tile a picture evenly as one, then the
/// whole picture beside them. Values of a pixel that the tensor holds several times (Qwen's frames of a still) are summed.
std::vector<InputView> inputViews(const AnalysisContext& context, const Array& tensor);

/// The tensor with these sums taken; others as they are.
Array foldedCopies(const AnalysisContext& context, const Array& tensor);

/// Whether patches [patches, values] of the tensor hold channel after channel (Qwen), not pixel after pixel.
bool channelsFirst(const AnalysisContext& context);

}  // namespace fovea
