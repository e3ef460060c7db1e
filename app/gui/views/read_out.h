#pragma once

#include <QString>

#include "fovea/token_map.h"
#include "fovea/viz/picture.h"

namespace fovea::gui {

/// The status line for a hit area: token, its text, row and column, pixel rectangle of the original picture,
/// raw value and its rank among the picture's values; for an area that stands for no pixels, its label.
/// `tokens` may be null.
QString readOut(const viz::Picture& picture, int hit, const TokenMap* tokens);

}  // namespace fovea::gui
