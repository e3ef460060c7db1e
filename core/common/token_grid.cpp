#include "common/token_grid.h"

#include <algorithm>
#include <limits>

#include "common/picture_views.h"

namespace fovea {

namespace {

constexpr std::int64_t maxCells = std::int64_t{1} << 22;

}  // namespace

std::vector<TokenGrid> TokenGrid::all(const TokenMap& map, const std::string& stageName) {
    const StageTokens& stage = map.stage(stageName);
    const std::vector<PictureView> views = pictureViews(stage);
    const bool several = !views.empty() && views.front().lattice.image != views.back().lattice.image;
    std::vector<TokenGrid> grids;
    for (const PictureView& view : views) {
        if (std::int64_t{view.rows} * view.columns > maxCells) continue;
        TokenGrid grid;
        grid.m_frame.image = view.lattice.image;
        grid.m_frame.rows = view.rows, grid.m_frame.columns = view.columns;
        grid.m_frame.area = view.lattice.area;
        grid.m_cells.assign(stage.tokens.size(), -1);
        for (const auto& [cell, token] : view.lattice.cells)
            grid.m_cells[static_cast<std::size_t>(token)] =
                (cell.first - view.row) * view.columns + cell.second - view.column;
        grid.m_name = view.name;
        if (several)
            grid.m_name = "picture " + std::to_string(view.lattice.image) + (view.name.empty() ? "" : ", ") + view.name;
        grids.push_back(std::move(grid));
    }
    return grids;
}

std::optional<TokenGrid> TokenGrid::of(const TokenMap& map, const std::string& stage) {
    std::vector<TokenGrid> grids = all(map, stage);
    if (grids.empty()) return {};
    return std::move(grids.front());
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
