#include "common/rollout_chain.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace fovea {

void discardLowest(Array& map, double ratio) {
    const auto size = static_cast<std::int64_t>(map.values.size());
    const auto count =
        std::min(size, static_cast<std::int64_t>(std::floor(ratio * static_cast<double>(size))));
    if (count <= 0) return;
    std::vector<float> sorted = map.values;
    std::nth_element(sorted.begin(), sorted.begin() + (count - 1), sorted.end());
    const float limit = sorted[static_cast<std::size_t>(count - 1)];
    std::int64_t ties = count - std::count_if(map.values.begin(), map.values.end(),
                                              [limit](float value) { return value < limit; });
    for (float& value : map.values) {
        if (value == limit && ties > 0) {
            --ties;
            value = 0;
        } else if (value < limit) {
            value = 0;
        }
    }
}

void rolloutStep(const Array& map, std::int64_t firstRow, const std::vector<double>& weights,
                 std::vector<double>& out) {
    const std::int64_t rows = map.size(0), tokens = map.size(1);
    for (std::int64_t r = 0; r < rows; ++r) {
        const std::int64_t token = firstRow + r;
        const double weight = weights[static_cast<std::size_t>(token)];
        if (weight == 0) continue;
        const float* row = map.values.data() + r * tokens;
        const double scale = weight / (1.0 + std::accumulate(row, row + tokens, 0.0));
        for (std::int64_t k = 0; k < tokens; ++k) out[static_cast<std::size_t>(k)] += scale * row[k];
        out[static_cast<std::size_t>(token)] += scale;
    }
}

}  // namespace fovea
