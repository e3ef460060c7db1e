#pragma once

#include <string>
#include <vector>

#include "fovea/token_map.h"

namespace fovea {

/// Whether a part of a token selection is about cells: "grid:ROW,COLUMN", "grid:ROW,COLUMN-ROW,COLUMN", or one of them
/// behind "image:N/", "view:K/" or "image:N/view:K/".
bool namesCells(const std::string& part);

/// The tokens of these cells of a picture's view (pictureViews()). Throws Error (Usage) where there are no such cells, and
/// where the part does not say of which of several pictures or views they are; the hint lists how it may.
std::vector<int> cellTokens(const std::string& part, const TokenMap& map, const StageTokens& stage);

}  // namespace fovea
