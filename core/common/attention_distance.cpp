#include "common/attention_distance.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace fovea {

AttentionDistance::AttentionDistance(std::vector<Cell> queries, std::vector<Cell> keys)
    : m_queries(std::move(queries)) {
    int rows = 1;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (keys[i].first < 0) continue;
        m_keys.push_back(i);
        m_keyCells.push_back(keys[i]);
    }
    for (const std::vector<Cell>* cells : {&m_queries, &m_keyCells})
        for (const Cell& cell : *cells) {
            rows = std::max(rows, cell.first + 1);
            m_columns = std::max(m_columns, cell.second + 1);
        }
    m_distances.resize(static_cast<std::size_t>(rows) * static_cast<std::size_t>(m_columns));
    for (int row = 0; row < rows; ++row)
        for (int column = 0; column < m_columns; ++column)
            m_distances[static_cast<std::size_t>(row * m_columns + column)] = std::hypot(row, column);
}

double AttentionDistance::ofRow(std::size_t query, const float* probabilities) const {
    const auto [row, column] = m_queries[query];
    if (row < 0) return std::numeric_limits<double>::quiet_NaN();
    double mass = 0, distance = 0;
    for (std::size_t i = 0; i < m_keys.size(); ++i) {
        const double p = static_cast<double>(probabilities[m_keys[i]]);
        const int apart =
            std::abs(m_keyCells[i].first - row) * m_columns + std::abs(m_keyCells[i].second - column);
        mass += p;
        distance += p * m_distances[static_cast<std::size_t>(apart)];
    }
    return mass > 0 ? distance / mass : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace fovea
