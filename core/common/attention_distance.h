#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace fovea {

/// Mean attention distance of one head in patches (Dosovitskiy et al. 2021): over patch queries, the mean
/// distance to the patch keys under the row's probabilities, renormalised over patches.
class AttentionDistance {
public:
    using Cell = std::pair<int, int>;  ///< row, column; negative for tokens without a place

    AttentionDistance(std::vector<Cell> queries, std::vector<Cell> keys);

    /// Mean distance of one row of probabilities over all keys; NaN for a query without a place or a row that
    /// has nothing on patches.
    double ofRow(std::size_t query, const float* probabilities) const;

private:
    std::vector<Cell> m_queries;
    std::vector<std::size_t> m_keys;  // positions of patch keys
    std::vector<Cell> m_keyCells;     // their cells
    int m_columns = 1;
    std::vector<double> m_distances;  // [rows apart, columns apart]
};

}  // namespace fovea
