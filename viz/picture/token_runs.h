#pragma once

#include <string>
#include <vector>

#include "fovea/token_map.h"

namespace fovea::viz {

/// Tokens [begin, end) of a sequence that are shown as one: a picture's image tokens with the separators between them, or
/// a single other token.
struct TokenRun {
    int begin = 0, end = 0;
    int image = -1;             ///< the picture that the tokens show; -1 for a single other token
    int rows = 0, columns = 0;  ///< of the grid that image tokens make; 0 where they make none

    bool isImage() const { return image >= 0; }
};

/// The runs of a stage in order. A lone image token is a run, too.
std::vector<TokenRun> tokenRuns(const StageTokens& stage);

/// "[image 24x24]", "[image 2: 24x24]" where the sequence has several pictures, "[image, 729 tokens]" without a grid.
std::string runName(const TokenRun& run, bool several);

/// Whether text stands in the sequence, so that its pictures are a part among others.
bool readsText(const StageTokens& stage);

}  // namespace fovea::viz
