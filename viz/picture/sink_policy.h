#pragma once

#include <span>
#include <vector>

#include "fovea/viz/painter.h"

namespace fovea::viz {

/// Applies a sink policy to one map: `cells` are the indices of the sinks in `values`. Mask makes them NaN
/// and scales the rest so that the finite values keep their sum; Redistribute makes them 0 and gives every
/// other finite value an equal part of their sum. Signed values (no mass to keep) are masked without scaling
/// and never redistributed. Returns the sum of the values taken away.
double applySinkPolicy(std::span<float> values, std::span<const int> cells, SinkPolicy policy,
                       bool signedValues);

}  // namespace fovea::viz
