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

/// "target", "objective", "output" and "queries", the words of an answer that gradients are about.
std::vector<ParamSpec> targetParams(const std::string& queriesHelp =
                                        "words of an answer that the gradients are about: auto (all of them), writing:2");

/// A resolved objective, so that perturbed runs keep asking about the same class or words.
struct TargetChoice {
    Objective objective;
    std::vector<int> answer;  ///< ids that a run reads behind the prompt, so that all their rows exist
    std::string name;         ///< "logit of 281 (tabby cat)", "log probability of \"red\""
    std::string note;         ///< how several words became one scalar; empty for one

    /// A caveat with the note before it.
    std::string noted(const std::string& caveat) const { return note + (note.empty() || caveat.empty() ? "" : "; ") + caveat; }
    /// Asks a run about it.
    void aim(RunSpec& spec) const { spec.objective = objective, spec.answer = answer; }
};

/// Resolves the target against the logits of the main run; with an answer, against the words that the rows of "queries"
/// wrote, all words where they wrote none. Throws Error (Usage) where the model has no such output.
TargetChoice chosenTarget(AnalysisContext& context, const nlohmann::json& params);

/// Whether a token selection speaks of an answer ("auto", "answer:2", "writing:1").
bool speaksOfAnswer(const std::string& selection);

/// Needs of analyses that run the model themselves: only the outputs of the main run.
Needs needsOfTarget(const ModelSpec& spec, const nlohmann::json& params);

}  // namespace fovea
