#pragma once

#include <optional>
#include <vector>

#include "fovea/finding.h"
#include "fovea/token_map.h"

namespace fovea {

/// A finding as rows of a table, one per token, cell, node, fixation or point; `tokens` (may be null) names
/// the tokens. A pair matrix comes whole.
Table tableOf(const Finding& finding, const TokenMap* tokens);

/// A column's cells as numbers: NaN for an empty cell, 1 and 0 for "yes" and "no" (and for "yes" and empty, where a column
/// only marks rows). Nothing where the column holds texts.
std::optional<std::vector<double>> numericColumn(const Table& table, std::size_t column);

}  // namespace fovea
