#pragma once

#include "fovea/finding.h"
#include "fovea/token_map.h"

namespace fovea {

/// A finding as rows of a table, one per token, cell, node, fixation or point; `tokens` (may be null) names
/// the tokens. A pair matrix comes whole.
Table tableOf(const Finding& finding, const TokenMap* tokens);

}  // namespace fovea
