#include "numeric_difference.h"

#include <algorithm>
#include <cmath>

#include "fovea/error.h"

namespace fovea::cli {

void NumericDifference::worsen(const NumericDifference& other) {
    if (other.relative() > relative()) absolute = other.absolute, magnitude = other.magnitude;
    mean = std::max(mean, other.mean);
    finite = finite && other.finite;
}

NumericDifference differenceOf(const Array& value, const Array& reference, const std::string& name) {
    if (value.shape != reference.shape)
        throw Error(name + ": the two results have different shapes", {}, ErrorCode::Internal);
    NumericDifference difference;
    for (std::size_t i = 0; i < value.values.size(); ++i) {
        const double a = value.values[i], b = reference.values[i];
        if (!std::isfinite(a) || !std::isfinite(b)) {
            difference.finite = difference.finite && a == b;  // masked logits are -inf on both sides
            continue;
        }
        difference.absolute = std::max(difference.absolute, std::abs(a - b));
        difference.magnitude = std::max(difference.magnitude, std::abs(b));
        difference.mean += std::abs(a - b);
    }
    if (!value.values.empty()) difference.mean /= static_cast<double>(value.values.size());
    return difference;
}

}  // namespace fovea::cli
