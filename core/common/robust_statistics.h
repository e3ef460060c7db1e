#pragma once

#include <vector>

namespace fovea {

/// Median of the values; NaN for none.
double median(std::vector<double> values);

/// (value - median) / (1.4826 MAD) of every value, median and MAD taken over `reference`; where the MAD is 0
/// the mean absolute deviation times 1.2533 stands in for it (Iglewicz and Hoaglin 1993), and where that is 0
/// as well, 0.
std::vector<double> robustZ(const std::vector<double>& values, const std::vector<double>& reference);

}  // namespace fovea
