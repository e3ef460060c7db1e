#pragma once

#include <QString>
#include <set>

#include "fovea/param.h"
#include "fovea/token_map.h"

namespace fovea::gui {

/// {0,1,2,5} -> "0-2,5", as parseIndices() and parseTokens() read it; "all" when it has all of `count` (> 0)
/// items.
QString indexText(const std::set<int>& indices, int count = 0);

/// A selection of tokens of a stage; those of its answer by their places there, so that it means the same after another
/// prompt: {5, 211} -> "5;writing:1" where the answer begins at 210 and `looks` says that it is about where the model
/// looked for them, else "5;answer:1".
QString tokensText(const std::set<int>& tokens, const StageTokens* stage, bool looks);
/// Whether a selection of tokens is about queries: words of an answer then mean the queries that wrote them.
bool looksFrom(const ParamSpec& spec);

/// A probability as "12.3 %", small ones with one digit more.
QString percentText(double probability);

/// A probability of which only a limit is known: "< 1.20 %".
QString belowText(double limit);

/// What two probabilities differ by, in percentage points: "+3.4 %"; "0.0 %" has no sign.
QString changeText(double before, double after);

/// A probability, or the limit that it is below: the smallest of those that are listed.
struct Likelihood {
    double value = -1;  ///< negative: only the limit is known
    double limit = 1;
};

/// Like changeText(), with "< " or "> " where a side has only a limit; empty where even the sign is open.
QString changeText(const Likelihood& before, const Likelihood& after);

}  // namespace fovea::gui
