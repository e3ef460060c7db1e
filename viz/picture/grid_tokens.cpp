#include "picture/grid_tokens.h"

#include <algorithm>
#include <cmath>

#include "picture/image_frame.h"

namespace fovea::viz {
namespace {

constexpr double largestCell = 1.3, smallestCell = 0.75;  // of a cell's sides; the rest is of another view

int imageOfToken(const Token& token) {
    return std::max(0, token.image);
}

// How a token lies in a cell that its middle is in.
enum class Fit { None, Cut, Whole };

Fit fitOf(const Rect& rect, const Rect& area, double width, double height) {
    if (rect.width > largestCell * width || rect.height > largestCell * height) return Fit::None;
    if (rect.width >= smallestCell * width && rect.height >= smallestCell * height) return Fit::Whole;
    // Cells at the rim of a picture may be cut off.
    const bool rim = rect.x < area.x + 0.01 * width || rect.y < area.y + 0.01 * height ||
                     rect.x + rect.width > area.x + area.width - 0.01 * width ||
                     rect.y + rect.height > area.y + area.height - 0.01 * height;
    return rim ? Fit::Cut : Fit::None;
}

std::vector<int> tokensByPlace(const StageTokens& stage, const Grid& grid, int& found) {
    const auto count = static_cast<std::size_t>(grid.rows) * static_cast<std::size_t>(grid.columns);
    std::vector<int> whole(count, -1), cut(count, -1), middles(count, 0);
    const double width = grid.area.width / grid.columns, height = grid.area.height / grid.rows;
    for (const Token& token : stage.tokens) {
        const Rect& rect = token.rect;
        if (token.row < 0 || rect.empty() || imageOfToken(token) != grid.image) continue;
        const double column = std::floor((rect.x + rect.width / 2 - grid.area.x) / width),
                     row = std::floor((rect.y + rect.height / 2 - grid.area.y) / height);
        if (column < 0 || row < 0 || column >= grid.columns || row >= grid.rows) continue;
        const auto cell = static_cast<std::size_t>(row) * static_cast<std::size_t>(grid.columns) + static_cast<std::size_t>(column);
        const Fit fit = fitOf(rect, grid.area, width, height);
        if (fit == Fit::Whole && whole[cell] < 0) whole[cell] = token.index;
        if (fit == Fit::Cut) cut[cell] = token.index;
        middles[cell] += rect.width <= largestCell * width && rect.height <= largestCell * height;
    }
    // Several small tokens in a cell are those of a finer view.
    for (std::size_t cell = 0; cell < count; ++cell) {
        if (whole[cell] < 0 && middles[cell] == 1) whole[cell] = cut[cell];
        found += whole[cell] >= 0;
    }
    return whole;
}

std::vector<int> tokensByRowAndColumn(const StageTokens& stage, const Grid& grid) {
    std::vector<int> cells(static_cast<std::size_t>(grid.rows) * static_cast<std::size_t>(grid.columns), -1);
    for (const Token& token : stage.tokens) {
        if (token.row < 0 || token.column < 0 || token.row >= grid.rows || token.column >= grid.columns) continue;
        int& cell = cells[static_cast<std::size_t>(token.row) * static_cast<std::size_t>(grid.columns) + static_cast<std::size_t>(token.column)];
        if (cell < 0) cell = token.index;
    }
    return cells;
}

const StageTokens* stageThatReads(const TokenMap& tokens, int image) {
    const StageTokens* any = nullptr;
    for (const StageTokens& stage : tokens.stages) {
        const bool reads = std::any_of(stage.tokens.begin(), stage.tokens.end(), [&](const Token& token) {
            return token.row >= 0 && imageOfToken(token) == image;
        });
        if (reads && stage.gridRows > 0 && stage.gridColumns > 0) return &stage;
        if (reads && !any) any = &stage;
    }
    return any;
}

}  // namespace

int GridTokens::cellOf(int token) const {
    const auto found = token < 0 ? cells.end() : std::find(cells.begin(), cells.end(), token);
    return found == cells.end() ? -1 : static_cast<int>(found - cells.begin());
}

GridTokens gridTokens(const TokenMap& tokens, const Grid& grid) {
    if (grid.pixels) return {stageThatReads(tokens, grid.image), {}};
    if (grid.rows <= 0 || grid.columns <= 0) return {};
    const StageTokens* whole = stageWithGrid(tokens, grid.rows, grid.columns);
    if (whole && tokens.images.size() < 2) return {whole, tokensByRowAndColumn(*whole, grid)};
    GridTokens best;
    int most = 0;
    if (!grid.area.empty())
        for (const StageTokens& stage : tokens.stages) {
            int found = 0;
            std::vector<int> cells = tokensByPlace(stage, grid, found);
            if (found <= most) continue;
            most = found;
            best = {&stage, std::move(cells)};
        }
    if (!best.stage && whole && grid.image == 0) best = {whole, tokensByRowAndColumn(*whole, grid)};
    return best;
}

}  // namespace fovea::viz
