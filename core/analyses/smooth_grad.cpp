#include <fmt/format.h>

#include <algorithm>

#include "common/gradient_maps.h"
#include "common/input_views.h"
#include "fovea/catalog.h"

namespace fovea {
namespace {

// Running mean and squared deviation of many gradients (Welford).
class Moments {
public:
    explicit Moments(std::size_t size) : m_mean(size, 0.0), m_deviation(size, 0.0) {}

    void add(const std::vector<float>& values) {
        ++m_count;
        for (std::size_t i = 0; i < m_mean.size(); ++i) {
            const double value = static_cast<double>(values[i]), before = value - m_mean[i];
            m_mean[i] += before / m_count;
            m_deviation[i] += before * (value - m_mean[i]);
        }
    }

    // "mean", "mean_square" or "variance" of element i.
    double get(std::size_t i, const std::string& which) const {
        const double variance = m_deviation[i] / m_count;
        if (which == "mean") return m_mean[i];
        return which == "variance" ? variance : variance + m_mean[i] * m_mean[i];
    }

private:
    int m_count = 0;
    std::vector<double> m_mean, m_deviation;
};

std::vector<Finding> computeSmoothGrad(AnalysisContext& context, const nlohmann::json& params) {
    const TargetChoice target = chosenPictureTarget(context, params);
    const RunResult plain = gradientRun(context, target, {});
    const auto [low, high] =
        std::minmax_element(plain.inputTensor.values.begin(), plain.inputTensor.values.end());
    const int samples = params.at("samples").get<int>();
    const auto which = params.at("aggregate").get<std::string>();
    Perturbation noisy;
    noisy.noise = params.at("noise").get<double>() * static_cast<double>(*high - *low);
    const auto firstSeed = context.seed() * 1000003ULL +
                           static_cast<std::uint64_t>(params.at("seed").get<std::int64_t>()) * 1000ULL;
    // Of pixels: what the input holds several times is one of them.
    const Array like = foldedCopies(context, plain.inputGradient);
    Moments moments(like.values.size());
    for (int i = 0; i < samples; ++i) {
        context.job().progress(static_cast<double>(i) / samples,
                               fmt::format("SmoothGrad {} / {}", i + 1, samples));
        noisy.seed = firstSeed + static_cast<std::uint64_t>(i);
        moments.add(foldedCopies(context, gradientRun(context, target, noisy).inputGradient).values);
    }
    Array attribution(like.shape);
    for (std::size_t i = 0; i < attribution.values.size(); ++i)
        attribution.values[i] = static_cast<float>(moments.get(i, which));
    return gradientFindings(context, attribution, params,
                            {"SmoothGrad, " + target.name, "per normalised unit",
                             target.noted(fmt::format("{} of {} gradients with noise of standard deviation {:.3g}", which,
                                         samples, noisy.noise))});
}

}  // namespace

void add_smooth_grad(AnalysisCatalog& catalog) {
    std::vector<ParamSpec> params = targetParams();
    params.push_back({.name = "samples",
                      .type = ParamType::Integer,
                      .defaultValue = 25,
                      .help = "noisy copies of the input",
                      .minimum = 1,
                      .maximum = 999});
    params.push_back({.name = "noise",
                      .type = ParamType::Number,
                      .defaultValue = 0.15,
                      .help = "standard deviation of the noise as a share of the input's range",
                      .minimum = 0,
                      .maximum = 2});
    params.push_back({.name = "aggregate",
                      .type = ParamType::Choice,
                      .defaultValue = "mean",
                      .help =
                          "mean of the gradients, of their squares (SmoothGrad-Squared), or their variance "
                          "(VarGrad)",
                      .choices = {"mean", "mean_square", "variance"}});
    params.push_back({.name = "seed",
                      .type = ParamType::Integer,
                      .defaultValue = 0,
                      .help = "of the noise, beside the session's seed",
                      .minimum = 0,
                      .maximum = 2147483647});
    for (ParamSpec& spec : gradientMapParams("max_abs")) params.push_back(std::move(spec));
    catalog.add(
        {{"smooth_grad", "SmoothGrad",
          "Input gradients averaged over noisy copies of the input (Smilkov et al. 2017, arXiv:1706.03825).",
          params},
         needsOfPictureGradient,
         computeSmoothGrad});
}

}  // namespace fovea
