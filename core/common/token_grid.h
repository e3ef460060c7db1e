#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fovea/finding.h"
#include "fovea/token_map.h"

namespace fovea {

/// The token grid of a stage over its first picture, ready to be filled with values of tokens.
class TokenGrid {
public:
    /// Nothing when the stage has no image grid (text).
    static std::optional<TokenGrid> of(const TokenMap& map, const std::string& stage);

    /// A Grid with one plane per entry of `values`; each entry has one value per token of the stage.
    Grid filled(std::vector<std::string> planes, const std::vector<std::vector<float>>& values) const;

    int rows() const { return m_frame.rows; }
    int columns() const { return m_frame.columns; }
    const Rect& area() const { return m_frame.area; }
    /// Cell of a token, row * columns + column; -1 for tokens that have none.
    int cellOf(int token) const { return m_cells[static_cast<std::size_t>(token)]; }

private:
    Grid m_frame;
    std::vector<int> m_cells;
};

/// Smallest rectangle that holds both; an empty one adds nothing.
Rect united(const Rect& a, const Rect& b);

}  // namespace fovea
