#pragma once

#include <compare>
#include <string>
#include <vector>

#include "fovea/token_map.h"

namespace fovea {

/// Parses an index selection such as "all", "last", "3", "0-5,9", "-1" (counted from the end), "" (none)
/// against `count` items; sorted, without repeats. Throws Error (Usage) that names `what` and the range.
std::vector<int> parseIndices(const std::string& text, int count, const std::string& what);

/// What the selection "auto" stands for on a stage: "writing" where tokens were generated, else the last token
/// of a prompt, else "cls".
std::string automaticTokens(const StageTokens& stage);

/// Parses a token selection of a stage: everything parseIndices() takes, and "cls", "registers", "prefix",
/// "patches", "auto", "text", "special", "separators", "answer" (generated tokens), "answer:INDICES" (of these,
/// counted from 0: "answer:3-last"), "writing" (the queries that wrote the generated tokens: of each the token before
/// it), "writing:INDICES" (those of these answer tokens), "image:N" (the tokens of that
/// picture), "grid:ROW,COLUMN", "grid:ROW,COLUMN-ROW,COLUMN" (a cell, a block of cells: counted as in the maps of a
/// picture, crops of it together), "image:N/grid:ROW,COLUMN" (of several pictures), "image:N/view:K/grid:ROW,COLUMN" (where
/// a picture is seen in several ways: the finest is view 0), "xy:X,Y" (the token that
/// reads that pixel of the original picture); parts are joined by ";". Throws Error (Usage), also of "writing" where
/// there is no answer, and of cells of one among several pictures or views that it does not name.
std::vector<int> parseTokens(const std::string& text, const TokenMap& map, const std::string& stage);

/// A token that a selection speaks of, and the query whose row is about it: the token itself, or of "writing" the one
/// before it.
struct SelectedToken {
    int token = 0, query = 0;
    auto operator<=>(const SelectedToken&) const = default;
};
/// Of the selections that parseTokens() takes, in the order of their tokens.
std::vector<SelectedToken> selectedTokens(const std::string& text, const TokenMap& map, const std::string& stage);
/// The tokens that a selection speaks of, sorted: of "writing" those that were written, else parseTokens().
std::vector<int> namedTokens(const std::string& text, const TokenMap& map, const std::string& stage);

/// Place of a token in the stage's answer, as "answer:" and "writing:" count; of a stage without one, of the answer that
/// would follow it; -1 for tokens before.
int answerPosition(const StageTokens& stage, int token);

/// The words of token selections, for hints.
std::vector<std::string> tokenWords();

}  // namespace fovea
