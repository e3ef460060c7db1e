#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fovea/analysis.h"
#include "fovea/objective.h"

namespace fovea {

/// The class that text means for a model with `classes` classes: an index, else a label (exact, or regardless
/// of case where that is unique); -1 for "top" and "-1". Throws Error (Usage) that names near labels.
int resolveClass(const std::string& text, const std::vector<std::string>& labels, int classes);

/// "target", "objective" and "output".
std::vector<ParamSpec> targetParams();

/// A resolved objective, so that perturbed runs keep asking about the same class.
struct TargetChoice {
    Objective objective;
    std::string name;  ///< "logit of 281 (tabby cat)"
};

/// Resolves the target against the logits of the main run. Throws Error (Usage) where the model has no such
/// output.
TargetChoice chosenTarget(AnalysisContext& context, const nlohmann::json& params);

/// Needs of analyses that run the model themselves: only the outputs of the main run.
Needs needsOfTarget(const ModelSpec& spec, const nlohmann::json& params);

}  // namespace fovea
