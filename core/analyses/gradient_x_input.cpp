#include <fmt/format.h>

#include <numeric>

#include "common/gradient_maps.h"
#include "fovea/catalog.h"

namespace fovea {
namespace {

std::vector<Finding> computeGradientXInput(AnalysisContext& context, const nlohmann::json& params) {
    context.job().progress(0, "gradient x input");
    const TargetChoice target = chosenPictureTarget(context, params);
    const Perturbation start = chosenBaseline(context.input(), params);
    const RunResult result = gradientRun(context, target, {});
    const std::vector<double> baseline = baselineValues(start, result.inputTensor.shape, channelOrder(context));
    Array attribution = result.inputGradient;
    double sum = 0;
    for (std::size_t i = 0; i < attribution.values.size(); ++i) {
        const double value = static_cast<double>(attribution.values[i]) *
                             (static_cast<double>(result.inputTensor.values[i]) - baseline[i]);
        attribution.values[i] = static_cast<float>(value);
        sum += value;
    }
    return gradientFindings(
        context, attribution, params,
        {"Gradient x input, " + target.name, "objective",
         target.noted(fmt::format("sum of the attributions {:.4g}, objective {:.4g}", sum, result.objective))});
}

}  // namespace

void add_gradient_x_input(AnalysisCatalog& catalog) {
    std::vector<ParamSpec> params = targetParams();
    for (ParamSpec& spec : gradientMapParams("signed")) params.push_back(std::move(spec));
    for (ParamSpec& spec : baselineParams()) params.push_back(std::move(spec));
    catalog.add({{"gradient_x_input", "Gradient x input",
                  "The input gradient times what the input differs from the baseline (Shrikumar et al. 2016, "
                  "arXiv:1605.01713).",
                  params},
                 needsOfPictureGradient,
                 computeGradientXInput});
}

}  // namespace fovea
