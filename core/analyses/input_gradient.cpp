#include "common/gradient_maps.h"
#include "fovea/catalog.h"

namespace fovea {
namespace {

std::vector<Finding> computeInputGradient(AnalysisContext& context, const nlohmann::json& params) {
    context.job().progress(0, "input gradient");
    const TargetChoice target = chosenPictureTarget(context, params);
    const RunResult result = gradientRun(context, target, {});
    return gradientFindings(context, result.inputGradient, params,
                            {"Input gradient, " + target.name, "per normalised unit", target.noted("")});
}

}  // namespace

void add_input_gradient(AnalysisCatalog& catalog) {
    std::vector<ParamSpec> params = targetParams();
    for (ParamSpec& spec : gradientMapParams("max_abs")) params.push_back(std::move(spec));
    catalog.add(
        {{"input_gradient", "Input gradient",
          "How much each pixel's change would change the class score (Simonyan, Vedaldi and Zisserman 2014, "
          "arXiv:1312.6034).",
          params},
         needsOfPictureGradient,
         computeInputGradient});
}

}  // namespace fovea
