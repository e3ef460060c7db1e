#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fovea/finding.h"

namespace fovea::cli {

/// Numbers that say a lot about findings in few words, under names such as "map mean": least, mean and largest value of maps
/// and scores, and how many rows of a table say yes ("table sink yes"); of findings without maps and scores also size and
/// depth of trees, number, duration and mass of fixations, and the mean of each curve.
std::vector<std::pair<std::string, double>> metricsOf(const std::vector<Finding>& findings);

}  // namespace fovea::cli
