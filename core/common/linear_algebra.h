#pragma once

#include <vector>

#include "fovea/array.h"

namespace fovea {

/// exp of the entropy of the normalised singular values (Roy and Vetterli 2007) of every matrix of `matrices`
/// [count, rows, columns]: 1 for rank one, min(rows, columns) for equal singular values. In float64.
std::vector<double> effectiveRanks(const Array& matrices);

/// a b for square matrices of side n, row by row, in float64.
std::vector<double> multiplied(const std::vector<double>& a, const std::vector<double>& b, int n);

}  // namespace fovea
