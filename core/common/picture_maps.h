#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fovea/finding.h"
#include "fovea/param.h"
#include "fovea/token_map.h"

namespace fovea {

/// "picture": which picture is drawn, -1 for all.
ParamSpec pictureParam();

/// Planes of values of a stage's tokens.
struct TokenPlanes {
    std::string stage;
    std::vector<std::string> names;          ///< one a plane, "" for a single one
    std::vector<std::vector<float>> values;  // [planes][tokens]
};

/// Findings like `like`, one a picture and view (TokenGrid::all), called "map", "map 1", ...; `params` may hold
/// "picture". Empty where no token has a place in a picture; throws Error (Usage) for a picture that the stage does not
/// read.
std::vector<Finding> pictureMaps(const TokenMap& map, const TokenPlanes& planes, const nlohmann::json& params,
                                 const Finding& like);

/// What each picture of a prompt has of `values`, one a token of the stage, and all tokens without a place in one:
/// "picture 0 61.0 %, picture 1 12.5 %, text 26.5 %"; of more than six (a film) their sum and the largest. Empty for a single
/// picture and for values that sum to nothing.
std::string pictureShares(const StageTokens& stage, const std::vector<float>& values);

}  // namespace fovea
