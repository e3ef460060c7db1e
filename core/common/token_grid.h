#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fovea/finding.h"
#include "fovea/token_map.h"

namespace fovea {

/// The tokens of a stage that read one picture, or one view of it, on their grid: ready to be filled with values of
/// tokens.
class TokenGrid {
public:
    /// The first of all(); nothing when no token of the stage has a cell (text).
    static std::optional<TokenGrid> of(const TokenMap& map, const std::string& stage);
    /// One for every view of every picture: crops that tile a picture evenly are one grid, the whole picture beside
    /// them is another, frames of a clip are one each. Pictures in order, the finest view of each first.
    static std::vector<TokenGrid> all(const TokenMap& map, const std::string& stage);

    /// A Grid with one plane per entry of `values`; each entry has one value per token of the stage.
    Grid filled(std::vector<std::string> planes, const std::vector<std::vector<float>>& values) const;

    int rows() const { return m_frame.rows; }
    int columns() const { return m_frame.columns; }
    int image() const { return m_frame.image; }
    const Rect& area() const { return m_frame.area; }
    /// "", or what tells it from the others: "picture 1", "picture 0, crops", "whole picture".
    const std::string& name() const { return m_name; }
    /// Cell of a token, row * columns + column; -1 for tokens that have none.
    int cellOf(int token) const { return m_cells[static_cast<std::size_t>(token)]; }

private:
    Grid m_frame;
    std::vector<int> m_cells;
    std::string m_name;
};

/// Smallest rectangle that holds both; an empty one adds nothing.
Rect united(const Rect& a, const Rect& b);

}  // namespace fovea
