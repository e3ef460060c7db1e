#include "common/sink_dimensions.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "fovea/selection.h"

namespace fovea {
namespace {

constexpr double standsOut = 0.3, ofLayers = 0.7, epsilon = 1e-6;

double rootMeanSquare(std::span<const float> x) {
    double sum = 0;
    for (const float value : x) sum += static_cast<double>(value) * static_cast<double>(value);
    return std::sqrt(sum / static_cast<double>(std::max<std::size_t>(1, x.size())) + epsilon);
}

}  // namespace

double sinkPhi(std::span<const float> x, const std::vector<int>& dimensions) {
    double largest = 0;
    for (const int d : dimensions) largest = std::max(largest, std::abs(static_cast<double>(x[static_cast<std::size_t>(d)])));
    return largest / rootMeanSquare(x);
}

std::vector<int> discoveredSinkDimensions(const std::vector<Array>& layers, const std::vector<int>& tokens, int limit) {
    if (layers.empty()) return {};
    const auto width = static_cast<std::size_t>(layers.front().size(1));
    std::vector<int> counts(width, 0);
    for (const Array& layer : layers) {
        std::vector<bool> found(width, false);
        for (const int token : tokens) {
            const std::span<const float> x(layer.values.data() + static_cast<std::size_t>(token) * width, width);
            const double bound = standsOut * std::sqrt(static_cast<double>(width)) * rootMeanSquare(x);
            for (std::size_t d = 0; d < width; ++d)
                if (std::abs(static_cast<double>(x[d])) > bound) found[d] = true;
        }
        for (std::size_t d = 0; d < width; ++d) counts[d] += found[d] ? 1 : 0;
    }
    std::vector<int> dimensions;
    for (std::size_t d = 0; d < width; ++d)
        if (counts[d] >= ofLayers * static_cast<double>(layers.size())) dimensions.push_back(static_cast<int>(d));
    std::stable_sort(dimensions.begin(), dimensions.end(), [&](int a, int b) {
        return counts[static_cast<std::size_t>(a)] > counts[static_cast<std::size_t>(b)];
    });
    dimensions.resize(std::min(dimensions.size(), static_cast<std::size_t>(limit)));
    std::sort(dimensions.begin(), dimensions.end());
    return dimensions;
}

std::vector<int> parseSinkDimensions(const std::string& text, int count) {
    return parseIndices(text, count, "dimensions of the residual stream");
}

}  // namespace fovea
