#include "common/token_grid.h"

#include <algorithm>
#include <limits>

namespace fovea {

std::optional<TokenGrid> TokenGrid::of(const TokenMap& map, const std::string& stageName) {
    const StageTokens& stage = map.stage(stageName);
    if (stage.gridRows <= 0 || stage.gridColumns <= 0) return {};
    TokenGrid grid;
    grid.m_frame.rows = stage.gridRows;
    grid.m_frame.columns = stage.gridColumns;
    grid.m_cells.assign(stage.tokens.size(), -1);
    const auto first = std::find_if(stage.tokens.begin(), stage.tokens.end(),
                                    [](const Token& token) { return token.image >= 0; });
    grid.m_frame.image = first == stage.tokens.end() ? 0 : first->image;
    for (const Token& token : stage.tokens) {
        if (token.image != grid.m_frame.image || token.row < 0 || token.row >= stage.gridRows ||
            token.column < 0 || token.column >= stage.gridColumns)
            continue;
        grid.m_cells[static_cast<std::size_t>(token.index)] = token.row * stage.gridColumns + token.column;
        grid.m_frame.area = united(grid.m_frame.area, token.rect);
    }
    return grid;
}

Grid TokenGrid::filled(std::vector<std::string> planes, const std::vector<std::vector<float>>& values) const {
    Grid grid = m_frame;
    grid.planes = std::move(planes);
    const std::size_t cells = static_cast<std::size_t>(grid.rows) * static_cast<std::size_t>(grid.columns);
    grid.values.assign(values.size() * cells, std::numeric_limits<float>::quiet_NaN());
    for (std::size_t plane = 0; plane < values.size(); ++plane)
        for (std::size_t token = 0; token < m_cells.size(); ++token)
            if (m_cells[token] >= 0)
                grid.values[plane * cells + static_cast<std::size_t>(m_cells[token])] = values[plane][token];
    return grid;
}

Rect united(const Rect& a, const Rect& b) {
    if (a.empty()) return b;
    if (b.empty()) return a;
    const double x = std::min(a.x, b.x), y = std::min(a.y, b.y);
    return {x, y, std::max(a.x + a.width, b.x + b.width) - x, std::max(a.y + a.height, b.y + b.height) - y};
}

}  // namespace fovea
