#include "common/picture_views.h"

#include <algorithm>
#include <climits>
#include <cmath>

#include "common/token_grid.h"

namespace fovea {
namespace {

// A view while its tokens are collected.
struct Run {
    PictureLattice lattice;
    Token last;

    explicit Run(const Token& token) { add(token); }

    void add(const Token& token) {
        lattice.image = token.image;
        lattice.cells[{token.row, token.column}] = token.index;
        lattice.area = united(lattice.area, token.rect);
        // Cells at the rim of a picture are cut off: the largest one tells the grid.
        if (token.rect.width >= lattice.width && token.rect.height >= lattice.height) {
            lattice.width = token.rect.width, lattice.height = token.rect.height;
            lattice.x = token.rect.x - token.column * lattice.width;
            lattice.y = token.rect.y - token.row * lattice.height;
        }
        last = token;
    }

    // Another view begins with a cell that is taken, or far from where the grid would go on.
    bool goesOnWith(const Token& token) const {
        if (token.image != lattice.image || lattice.cells.count({token.row, token.column})) return false;
        if (token.rect.empty() || last.rect.empty()) return true;
        const auto near = [](double from, double to, int steps, double pitch) {
            return std::abs(to - from - steps * pitch) <= pitch * (0.6 + 0.6 * std::abs(steps));
        };
        return near(last.rect.x, token.rect.x, token.column - last.column, std::max(lattice.width, token.rect.width)) &&
               near(last.rect.y, token.rect.y, token.row - last.row, std::max(lattice.height, token.rect.height));
    }
};

bool alike(double a, double b) { return std::abs(a - b) <= 0.02 * std::max(a, b); }

// Whether `more` lies on the lattice of `first` beside it; then it is added.
bool joined(PictureLattice& first, const PictureLattice& more) {
    const bool known = first.width > 0 && first.height > 0 && first.image == more.image;
    if (!known || !alike(first.width, more.width) || !alike(first.height, more.height)) return false;
    const double right = (more.x - first.x) / first.width, down = (more.y - first.y) / first.height;
    const int columns = static_cast<int>(std::lround(right)), rows = static_cast<int>(std::lround(down));
    if (std::abs(right - columns) > 0.3 || std::abs(down - rows) > 0.3) return false;
    std::map<std::pair<int, int>, int> cells = first.cells;
    for (const auto& [cell, token] : more.cells)
        if (!cells.emplace(std::pair{cell.first + rows, cell.second + columns}, token).second) return false;
    first.cells = std::move(cells);
    first.area = united(first.area, more.area);
    return true;
}

// Where a lattice's cells are. A stage with a grid of its own has all of it, also where tokens are missing.
void setExtent(const StageTokens& stage, bool alone, PictureView& view) {
    int top = INT_MAX, left = INT_MAX, bottom = INT_MIN, right = INT_MIN;
    for (const auto& [cell, token] : view.lattice.cells) {
        top = std::min(top, cell.first), bottom = std::max(bottom, cell.first);
        left = std::min(left, cell.second), right = std::max(right, cell.second);
    }
    const bool own = alone && top >= 0 && left >= 0 && bottom < stage.gridRows && right < stage.gridColumns;
    view.row = own ? 0 : top, view.column = own ? 0 : left;
    view.rows = own ? stage.gridRows : bottom - top + 1;
    view.columns = own ? stage.gridColumns : right - left + 1;
}

// What tells a view from the others of its picture, which are in order.
std::string nameOf(const std::vector<PictureLattice>& views, std::size_t place) {
    if (views.size() == 1) return "";
    const PictureLattice& first = views.front();
    const auto coarser = [&](const PictureLattice& view) {
        return view.width > 1.1 * first.width || view.height > 1.1 * first.height;
    };
    if (views.size() == 2 && coarser(views[place])) return "whole picture";
    if (views.size() == 2 && views[1].width > 1.1 * first.width) return "crops";
    return "view " + std::to_string(place);
}

}  // namespace

std::vector<PictureView> pictureViews(const StageTokens& stage) {
    std::vector<PictureLattice> all = pictureLattices(stage);
    const bool alone = all.size() == 1;
    std::map<int, std::vector<PictureLattice>> pictures;
    for (PictureLattice& lattice : all) pictures[lattice.image].push_back(std::move(lattice));
    std::vector<PictureView> views;
    for (auto& [image, list] : pictures) {
        std::stable_sort(list.begin(), list.end(), [](const PictureLattice& a, const PictureLattice& b) {
            return a.width * a.height < 0.9 * b.width * b.height;
        });
        for (std::size_t place = 0; place < list.size(); ++place) {
            PictureView view;
            view.lattice = list[place];
            view.name = nameOf(list, place);
            setExtent(stage, alone, view);
            views.push_back(std::move(view));
        }
    }
    return views;
}

std::vector<PictureLattice> pictureLattices(const StageTokens& stage) {
    std::vector<Run> runs;
    for (const Token& token : stage.tokens) {
        if (token.image < 0 || token.row < 0 || token.column < 0) continue;
        if (!runs.empty() && runs.back().goesOnWith(token))
            runs.back().add(token);
        else
            runs.emplace_back(token);
    }
    std::vector<PictureLattice> views;
    for (const Run& run : runs) {
        const bool added = std::any_of(views.begin(), views.end(), [&](PictureLattice& view) { return joined(view, run.lattice); });
        if (!added) views.push_back(run.lattice);
    }
    return views;
}

}  // namespace fovea
