#include "common/token_distribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "fovea/error.h"

namespace fovea {

TokenDistribution TokenDistribution::of(std::span<const float> logits) {
    TokenDistribution out;
    double largest = -INFINITY, sum = 0;
    for (const float value : logits) largest = std::max(largest, static_cast<double>(value));
    for (const float value : logits) sum += std::exp(static_cast<double>(value) - largest);
    const double shift = largest + std::log(sum);
    out.logProbability.reserve(logits.size());
    for (const float value : logits) out.logProbability.push_back(static_cast<double>(value) - shift);
    return out;
}

double TokenDistribution::probability(int id) const { return std::exp(logProbability[static_cast<std::size_t>(id)]); }

double TokenDistribution::entropy() const {
    double sum = 0;
    for (const double log : logProbability)
        if (const double p = std::exp(log); p > 0) sum -= p * log;
    return sum;
}

double TokenDistribution::divergenceFrom(const TokenDistribution& other) const {
    double sum = 0;
    for (std::size_t i = 0; i < logProbability.size(); ++i)
        if (const double p = std::exp(logProbability[i]); p > 0) sum += p * (logProbability[i] - other.logProbability[i]);
    return std::max(0.0, sum);
}

std::vector<int> TokenDistribution::top(int count) const {
    std::vector<int> ids(logProbability.size());
    std::iota(ids.begin(), ids.end(), 0);
    const auto wanted = std::min<std::ptrdiff_t>(count, static_cast<std::ptrdiff_t>(ids.size()));
    std::partial_sort(ids.begin(), ids.begin() + wanted, ids.end(), [&](int a, int b) {
        const double p = logProbability[static_cast<std::size_t>(a)], q = logProbability[static_cast<std::size_t>(b)];
        return p != q ? p > q : a < b;
    });
    ids.resize(static_cast<std::size_t>(wanted));
    return ids;
}

std::span<const float> rowOf(const Array& values, std::int64_t row) {
    const auto width = static_cast<std::size_t>(values.shape.back());
    return {values.values.data() + static_cast<std::size_t>(row) * width, width};
}

void requireText(const ModelSpec& spec, const std::string& analysis) {
    if (spec.capabilities.generate) return;
    throw Error(fmt::format("{} is about the next word, and {} writes no text", analysis, spec.architecture),
                "open a language or vision-language model (fovea-cli families lists them)", ErrorCode::Usage);
}

}  // namespace fovea
