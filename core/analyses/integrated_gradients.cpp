#include <fmt/format.h>

#include <cmath>

#include "common/gradient_maps.h"
#include "common/quadrature.h"
#include "fovea/catalog.h"

namespace fovea {
namespace {

Quadrature chosenQuadrature(const nlohmann::json& params) {
    const auto rule = params.at("quadrature").get<std::string>();
    const QuadratureRule kind = rule == "left"     ? QuadratureRule::Left
                                : rule == "right"  ? QuadratureRule::Right
                                : rule == "middle" ? QuadratureRule::Middle
                                                   : QuadratureRule::GaussLegendre;
    return quadrature(kind, params.at("steps").get<int>());
}

// Weighted mean of the gradients on the straight line from the baseline to the input.
std::vector<double> meanGradient(AnalysisContext& context, const TargetChoice& target, Perturbation step,
                                 const Quadrature& rule, std::size_t size) {
    std::vector<double> mean(size, 0.0);
    const std::size_t count = rule.nodes.size();
    for (std::size_t i = 0; i < count; ++i) {
        context.job().progress(static_cast<double>(i) / static_cast<double>(count),
                               fmt::format("integrated gradients {} / {}", i + 1, count));
        step.scale = rule.nodes[i];
        const RunResult result = gradientRun(context, target, step);
        for (std::size_t k = 0; k < size; ++k)
            mean[k] += rule.weights[i] * static_cast<double>(result.inputGradient.values[k]);
    }
    return mean;
}

double objectiveAtBaseline(AnalysisContext& context, const TargetChoice& target, Perturbation step) {
    RunSpec spec = context.baseSpec();
    target.aim(spec);
    spec.perturbation = std::move(step);
    spec.perturbation.scale = 0;
    return context.run(spec).objective;
}

std::vector<Finding> computeIntegratedGradients(AnalysisContext& context, const nlohmann::json& params) {
    const TargetChoice target = chosenPictureTarget(context, params);
    const Perturbation start = chosenBaseline(context.input(), params);
    const RunResult plain = gradientRun(context, target, {});
    const std::vector<double> baseline = baselineValues(start, plain.inputTensor.shape, channelOrder(context));
    const std::vector<double> mean =
        meanGradient(context, target, start, chosenQuadrature(params), baseline.size());
    Array attribution(plain.inputTensor.shape);
    double sum = 0;
    for (std::size_t i = 0; i < mean.size(); ++i) {
        const double value = mean[i] * (static_cast<double>(plain.inputTensor.values[i]) - baseline[i]);
        attribution.values[i] = static_cast<float>(value);
        sum += value;
    }
    const double difference = plain.objective - objectiveAtBaseline(context, target, start);
    return gradientFindings(
        context, attribution, params,
        {"Integrated gradients, " + target.name, "objective",
         target.noted(fmt::format(
             "completeness: attributions sum to {:.5g}, objective at the input less that at the baseline is "
             "{:.5g} (delta {:.2g})",
             sum, difference, sum - difference))});
}

}  // namespace

void add_integrated_gradients(AnalysisCatalog& catalog) {
    std::vector<ParamSpec> params = targetParams();
    params.push_back({.name = "steps",
                      .type = ParamType::Integer,
                      .defaultValue = 50,
                      .help = "points on the line from the baseline to the input",
                      .minimum = 1,
                      .maximum = 1000});
    params.push_back({.name = "quadrature",
                      .type = ParamType::Choice,
                      .defaultValue = "gauss_legendre",
                      .help = "where these points lie and how they weigh",
                      .choices = {"gauss_legendre", "left", "right", "middle"}});
    for (ParamSpec& spec : baselineParams()) params.push_back(std::move(spec));
    for (ParamSpec& spec : gradientMapParams("signed")) params.push_back(std::move(spec));
    catalog.add({{"integrated_gradients", "Integrated gradients",
                  "Gradients averaged on the way from a baseline to the input, times the way (Sundararajan, "
                  "Taly and Yan "
                  "2017, arXiv:1703.01365).",
                  params},
                 needsOfPictureGradient,
                 computeIntegratedGradients});
}

}  // namespace fovea
