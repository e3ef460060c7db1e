#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fovea/token_map.h"

namespace fovea {

/// Reads "x,y,width,height" in pixels of the upright picture; the part inside width x height. Throws Error (Usage) for
/// other texts and for boxes that lie outside.
Rect parseBox(const std::string& text, int width, int height);

/// How much of each token's rectangle lies in a box of a picture: (token, share in 0..1) for those that reach into it.
std::vector<std::pair<int, double>> tokensInBox(const StageTokens& stage, int image, const Rect& box);

/// Area that both share.
double sharedArea(const Rect& a, const Rect& b);

}  // namespace fovea
