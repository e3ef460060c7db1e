#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/site_choice.h"
#include "fovea/intervention.h"

namespace fovea {

/// "row_sum": free, compensate, renormalise.
ParamSpec rowSumParam(const std::string& defaultValue);
RowSum chosenRowSum(const nlohmann::json& params);

/// The tokens of a selection, also of those that an answer is still to have ("answer:3-last", or their places in the
/// sequence); throws Error (Usage) when it is empty.
std::vector<int> editedTokens(const InterventionContext& context, const std::string& stage, const std::string& text,
                              const std::string& what);

/// "queries" of an edit: all, or the rows that it changes.
ParamSpec editedQueriesParam();
/// Token indices of these queries; empty for all.
std::vector<int> editedQueries(const InterventionContext& context, const std::string& stage,
                               const nlohmann::json& params);

/// Heads of a site as an edit lists them: empty for all.
std::vector<int> editedHeads(const AttentionSite& site, const nlohmann::json& params);

/// Multiplies the values of the chosen heads in a per-head list (empty means all 1).
void multiplyHeads(std::vector<double>& perHead, const AttentionSite& site, const std::vector<int>& heads,
                   double factor);

}  // namespace fovea
