#include "common/token_grid.h"

#include <algorithm>
#include <climits>
#include <limits>
#include <map>

#include "common/picture_views.h"

namespace fovea {

namespace {

constexpr std::int64_t maxCells = std::int64_t{1} << 22;

struct Extent {
    int row = 0, column = 0, rows = 0, columns = 0;
};

// A stage with a grid of its own has all of it, also where tokens are missing.
Extent extentOf(const StageTokens& stage, const PictureLattice& view) {
    if (stage.gridRows > 0 && stage.gridColumns > 0) return {0, 0, stage.gridRows, stage.gridColumns};
    int top = INT_MAX, left = INT_MAX, bottom = INT_MIN, right = INT_MIN;
    for (const auto& [cell, token] : view.cells) {
        top = std::min(top, cell.first), bottom = std::max(bottom, cell.first);
        left = std::min(left, cell.second), right = std::max(right, cell.second);
    }
    return {top, left, bottom - top + 1, right - left + 1};
}

// Indices of the views of every picture, the finest first.
std::map<int, std::vector<std::size_t>> byPicture(const std::vector<PictureLattice>& views) {
    std::map<int, std::vector<std::size_t>> out;
    for (std::size_t i = 0; i < views.size(); ++i) out[views[i].image].push_back(i);
    for (auto& [image, list] : out)
        std::stable_sort(list.begin(), list.end(), [&](std::size_t a, std::size_t b) {
            return views[a].width * views[a].height < 0.9 * views[b].width * views[b].height;
        });
    return out;
}

std::string viewName(const std::vector<PictureLattice>& views, const std::vector<std::size_t>& list, std::size_t place) {
    if (list.size() == 1) return "";
    const PictureLattice& first = views[list.front()], &view = views[list[place]];
    const bool coarser = view.width > 1.1 * first.width || view.height > 1.1 * first.height;
    if (list.size() == 2 && coarser) return "whole picture";
    if (list.size() == 2 && views[list[1]].width > 1.1 * first.width) return "crops";
    return "view " + std::to_string(place);
}

}  // namespace

std::vector<TokenGrid> TokenGrid::all(const TokenMap& map, const std::string& stageName) {
    const StageTokens& stage = map.stage(stageName);
    const std::vector<PictureLattice> views = pictureLattices(stage);
    const auto pictures = byPicture(views);
    std::vector<TokenGrid> grids;
    for (const auto& [image, list] : pictures)
        for (std::size_t place = 0; place < list.size(); ++place) {
            const PictureLattice& view = views[list[place]];
            const Extent extent = extentOf(stage, view);
            if (std::int64_t{extent.rows} * extent.columns > maxCells) continue;
            TokenGrid grid;
            grid.m_frame.image = image;
            grid.m_frame.rows = extent.rows, grid.m_frame.columns = extent.columns;
            grid.m_frame.area = view.area;
            grid.m_cells.assign(stage.tokens.size(), -1);
            for (const auto& [cell, token] : view.cells) {
                const int row = cell.first - extent.row, column = cell.second - extent.column;
                if (row < extent.rows && column < extent.columns)
                    grid.m_cells[static_cast<std::size_t>(token)] = row * extent.columns + column;
            }
            grid.m_name = viewName(views, list, place);
            if (pictures.size() > 1)
                grid.m_name = "picture " + std::to_string(image) + (grid.m_name.empty() ? "" : ", ") + grid.m_name;
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
