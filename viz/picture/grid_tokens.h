#pragma once

#include <vector>

#include "fovea/finding.h"
#include "fovea/token_map.h"

namespace fovea::viz {

/// The tokens that the cells of a map are.
struct GridTokens {
    const StageTokens* stage = nullptr;  ///< null where the cells are no tokens
    std::vector<int> cells;              // [rows * columns], -1 where a cell is none; empty without a stage

    /// The cell of a token, row * columns + column; -1 when it has none.
    int cellOf(int token) const;
};

/// Finds the tokens by picture and place: those of a stage that has the map's grid, else those whose rectangles are its
/// cells. Of a map of pixels only the stage that reads them.
GridTokens gridTokens(const TokenMap& tokens, const Grid& grid);

}  // namespace fovea::viz
