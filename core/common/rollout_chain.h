#pragma once

#include <cstdint>
#include <vector>

#include "fovea/array.h"

namespace fovea {

/// Sets the lowest floor(ratio * size) entries of a fused map to 0; among equal values those with the lower
/// flat index go first. No row is protected (jacobgil/vit-explain protects the flat index 0 only, which has
/// no meaning).
void discardLowest(Array& map, double ratio);

/// One step of attention rollout (Abnar and Zuidema 2020): weights * rownormalise(map + I), where `map` holds
/// rows `firstRow`, firstRow + 1, ... of a square map, [rows, tokens]; adds to `out` [tokens]. `weights`
/// [tokens] says how much of each row's token has been collected so far; rows are divided by their own sums.
void rolloutStep(const Array& map, std::int64_t firstRow, const std::vector<double>& weights,
                 std::vector<double>& out);

}  // namespace fovea
