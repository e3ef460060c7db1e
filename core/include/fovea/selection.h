#pragma once

#include <string>
#include <vector>

#include "fovea/token_map.h"

namespace fovea {

/// Parses an index selection such as "all", "last", "3", "0-5,9", "-1" (counted from the end), "" (none)
/// against `count` items; sorted, without repeats. Throws Error (Usage) that names `what` and the range.
std::vector<int> parseIndices(const std::string& text, int count, const std::string& what);

/// What the selection "auto" stands for on a stage: "answer" where tokens were generated, else the last token
/// of a prompt, else "cls".
std::string automaticTokens(const StageTokens& stage);

/// Parses a token selection of a stage: everything parseIndices() takes, and "cls", "registers", "prefix",
/// "patches", "auto", "text", "special", "separators", "answer" (generated tokens), "answer:INDICES" (of these,
/// counted from 0: "answer:3-last"), "image:N" (the tokens of that
/// picture), "grid:ROW,COLUMN", "grid:ROW,COLUMN-ROW,COLUMN" (a block of cells), "xy:X,Y" (the token that
/// reads that pixel of the original picture); parts are joined by ";". Throws Error (Usage).
std::vector<int> parseTokens(const std::string& text, const TokenMap& map, const std::string& stage);

}  // namespace fovea
