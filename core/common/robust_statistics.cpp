#include "common/robust_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace fovea {

double median(std::vector<double> values) {
    if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    if (values.size() % 2 == 1) return *middle;
    return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

std::vector<double> robustZ(const std::vector<double>& values, const std::vector<double>& reference) {
    const double centre = median(reference);
    std::vector<double> deviations;
    for (const double value : reference) deviations.push_back(std::abs(value - centre));
    double scale = 1.4826 * median(deviations);
    if (!(scale > 0) && !deviations.empty())
        scale = 1.2533 * std::accumulate(deviations.begin(), deviations.end(), 0.0) /
                static_cast<double>(deviations.size());
    std::vector<double> z;
    for (const double value : values) z.push_back(scale > 0 ? (value - centre) / scale : 0);
    return z;
}

}  // namespace fovea
