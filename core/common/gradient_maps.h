#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/target_choice.h"
#include "fovea/analysis.h"

namespace fovea {

/// "channels" (with the default of the method) and "pool".
std::vector<ParamSpec> gradientMapParams(const std::string& channels);

/// Needs of an analysis of the input picture, whose "queries" are words of an answer: throws Error (Usage) for any but
/// "auto" of a model that gives none.
Needs needsOfPictureGradient(const ModelSpec& spec, const nlohmann::json& params);

/// chosenTarget() of an analysis of the input picture. Throws Error (Usage), before anything runs, for an input whose
/// gradient cannot be shown on a picture (holdsViews()), or not as "pool" wants.
TargetChoice chosenPictureTarget(AnalysisContext& context, const nlohmann::json& params);

/// Values of the model's input tensor as a picture [channels, height, width]: a tensor of that shape as it
/// is, NaFlex patches [patches, side * side * 3] put back in their places on the stage's grid.
Array asPicture(const Array& tensor, const StageTokens& stage);

/// Runs the model with the gradient of a target at its input; throws Error (Usage) where the input has
/// none.
RunResult gradientRun(AnalysisContext& context, const TargetChoice& target, const Perturbation& perturbation);

/// What findings of one value per input element are called.
struct GradientCaption {
    std::string title, unit, note;
};

/// The Grid "map" (and, pooled, TokenScores "scores") of an attribution that has the shape of the input
/// tensor: channels reduced and, where wanted, pooled to tokens. Rows and columns of padding are left out. Of an input of
/// several views (holdsViews()) a Grid for each of inputViews(): "map", "map 1", ...
std::vector<Finding> gradientFindings(AnalysisContext& context, const Array& attribution,
                                      const nlohmann::json& params, const GradientCaption& caption);

/// "baseline" and "baseline_value": where attribution starts from.
std::vector<ParamSpec> baselineParams();
/// The perturbation whose scale 0 gives the chosen baseline. Throws Error (Usage) when black is not known.
Perturbation chosenBaseline(const ModelInput& input, const nlohmann::json& params);
/// How patches [patches, values] hold their channels: pixel after pixel, or (Qwen) channel after channel.
enum class ChannelOrder { Last, First };
ChannelOrder channelOrder(const AnalysisContext& context);
/// The baseline of every element of an input tensor of this shape.
std::vector<double> baselineValues(const Perturbation& baseline, const std::vector<std::int64_t>& shape,
                                   ChannelOrder patches = ChannelOrder::Last);

}  // namespace fovea
