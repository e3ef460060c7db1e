#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "fovea/array.h"

namespace fovea {

/// The lowest floor(ratio * size) entries of a fused map become 0; among equal values those with the lower flat
/// index go first. No row is protected (jacobgil/vit-explain protects the flat index 0 only, which has no
/// meaning). The map may pass in blocks of rows, so that it never has to be held.
class LowestShare {
public:
    /// Calls its argument with every block of the map in order; it is called twice and must give the same
    /// values.
    using Blocks = std::function<void(const std::function<void(const Array&)>&)>;

    /// Finds the limit of a map of `size` values.
    LowestShare(std::int64_t size, double ratio, const Blocks& blocks);
    /// Discards in the next block; blocks come in order, once.
    void apply(Array& block);

private:
    bool m_any = false;
    float m_limit = 0;
    std::int64_t m_ties = 0;  ///< entries equal to the limit that go, too
};

/// LowestShare on a whole map.
void discardLowest(Array& map, double ratio);

/// One step of attention rollout (Abnar and Zuidema 2020): weights * rownormalise(map + I), where `map` holds
/// rows `firstRow`, firstRow + 1, ... of a square map, [rows, tokens]; adds to `out` [tokens]. `weights`
/// [tokens] says how much of each row's token has been collected so far; rows are divided by their own sums.
void rolloutStep(const Array& map, std::int64_t firstRow, const std::vector<double>& weights,
                 std::vector<double>& out);

}  // namespace fovea
