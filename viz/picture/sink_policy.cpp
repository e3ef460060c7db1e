#include "picture/sink_policy.h"

#include <cmath>
#include <limits>

namespace fovea::viz {

double applySinkPolicy(std::span<float> values, std::span<const int> cells, SinkPolicy policy,
                       bool signedValues) {
    if (policy == SinkPolicy::Keep) return 0;
    std::vector<char> sink(values.size(), 0);
    for (const int cell : cells)
        if (cell >= 0 && static_cast<std::size_t>(cell) < values.size()) sink[cell] = 1;
    double taken = 0, rest = 0;
    std::size_t others = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!std::isfinite(values[i])) continue;
        (sink[i] ? taken : rest) += values[i];
        others += sink[i] ? 0 : 1;
    }
    const bool spread = policy == SinkPolicy::Redistribute && !signedValues && others > 0;
    const double factor = policy == SinkPolicy::Mask && !signedValues && rest > 0 ? (rest + taken) / rest : 1;
    const double share = spread ? taken / static_cast<double>(others) : 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (sink[i])
            values[i] = spread ? 0 : std::numeric_limits<float>::quiet_NaN();
        else if (std::isfinite(values[i]))
            values[i] = static_cast<float>(values[i] * factor + share);
    }
    return taken;
}

}  // namespace fovea::viz
