#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/site_choice.h"
#include "fovea/attention_trace.h"

namespace fovea {

/// What edits took from (or added to) the attention of rows, and which heads they mute: "edits removed 25.0 % of the
/// attention: head 0 is muted and counts as 0". Empty where the rows still sum to what they did without edits. Means over the
/// chosen sites and heads, over the rows of `queries` (tokens; empty: all rows); `params` has "heads" (all heads without) and
/// "weights".
std::string editedShare(const AttentionTrace& trace, const std::vector<int>& sites, const nlohmann::json& params,
                        const std::vector<int>& queries = {});

/// The note with that behind it.
std::string withEditedShare(std::string note, const AttentionTrace& trace, const std::vector<int>& sites,
                            const nlohmann::json& params, const std::vector<int>& queries = {});

}  // namespace fovea
