// LLaVA-NeXT and LLaVA-OneVision: the whole picture, then the grid over all crops without its padding, a
// learned newline after each row; OneVision interpolates grids that are too large, and the frames of a video.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "fovea/error.h"
#include "io/visual/layouts.h"

namespace fovea {
namespace {

// The token grid over all crops, and the part of it that is not padding.
struct WholeGrid {
    TokenGrid tile;
    int rows = 0;
    int columns = 0;
    int top = 0;
    int left = 0;
    int shownRows = 0;
    int shownColumns = 0;
};

double roundedTo7(double x) {
    return std::trunc(std::nearbyint(x * 1e7) / 1e7);
}

WholeGrid wholeGrid(const LayoutRules& rules, const VisionImage& image) {
    const std::size_t crops =
        static_cast<std::size_t>(image.tileRows) * static_cast<std::size_t>(image.tileColumns);
    if (image.tiles.size() != crops + 1)
        throw Error("layout: the crops are not a grid", {}, ErrorCode::Internal);
    WholeGrid g;
    g.tile = gridOf(rules, image.tiles[0]);
    g.rows = g.shownRows = g.tile.rows * image.tileRows;
    g.columns = g.shownColumns = g.tile.columns * image.tileColumns;
    const double width = image.width;
    const double height = image.height;
    if (width / height > static_cast<double>(g.columns) / g.rows) {
        g.top = (g.rows - static_cast<int>(roundedTo7(height * (g.columns / width)))) / 2;
        g.shownRows -= 2 * g.top;
    } else {
        g.left = (g.columns - static_cast<int>(roundedTo7(width * (g.rows / height)))) / 2;
        g.shownColumns -= 2 * g.left;
    }
    return g;
}

// A point of the grid over all crops, in tokens, on the original.
struct Point {
    double x = 0;
    double y = 0;
};

Point pointOf(const WholeGrid& g, const VisionImage& image, double column, double row) {
    const int tileColumn = std::min(static_cast<int>(column) / g.tile.columns, image.tileColumns - 1);
    const int tileRow = std::min(static_cast<int>(row) / g.tile.rows, image.tileRows - 1);
    const VisionTile& tile =
        image.tiles[static_cast<std::size_t>(1 + tileRow * image.tileColumns + tileColumn)];
    const Rect at = tile.transform.toOriginal({(column - tileColumn * g.tile.columns) * g.tile.cellWidth,
                                               (row - tileRow * g.tile.rows) * g.tile.cellHeight, 0, 0});
    return {at.x, at.y};
}

void addNewline(std::vector<LayoutItem>& items, const std::string& token) {
    items.push_back({LayoutItem::Kind::Newline, token, -1, 0, 0, {}});
}

// rows x columns tokens over the part that is shown: one a cell, or fewer by interpolation, each then with
// its share of the area.
void addRows(std::vector<LayoutItem>& items, const LayoutRules& rules, const VisionImage& image,
             const WholeGrid& g, int rows, int columns) {
    const double tall = static_cast<double>(g.shownRows) / rows;
    const double wide = static_cast<double>(g.shownColumns) / columns;
    for (int row = 0; row < rows; ++row) {
        for (int column = 0; column < columns; ++column) {
            const double x = g.left + column * wide;
            const double y = g.top + row * tall;
            const Point begin = pointOf(g, image, x, y);
            const Point end = pointOf(g, image, x + wide, y + tall);
            const int cellRow = static_cast<int>(y);
            const int cellColumn = static_cast<int>(x);
            LayoutItem item;
            item.kind = LayoutItem::Kind::Patch;
            item.text = rules.imageToken;
            item.tile = 1 + cellRow / g.tile.rows * image.tileColumns + cellColumn / g.tile.columns;
            item.row = cellRow % g.tile.rows;
            item.column = cellColumn % g.tile.columns;
            if (end.x > begin.x && end.y > begin.y)
                item.rect = {begin.x, begin.y, end.x - begin.x, end.y - begin.y};
            items.push_back(std::move(item));
        }
        addNewline(items, rules.imageToken);
    }
}

// Python's floor division of floats.
int floorDivided(double a, double b) {
    const double rest = std::fmod(a, b);
    const double quotient = (a - rest) / b;
    const double floored = std::floor(quotient);
    return static_cast<int>(quotient - floored > 0.5 ? floored + 1 : floored);
}

void checkTokens(int rows, int columns) {
    if (rows >= 1 && columns >= 1) return;
    throw Error(
        fmt::format("image: expected at least one row and column of tokens, found {} x {}", columns, rows),
        "crop the image to a less extreme shape");
}

}  // namespace

std::vector<LayoutItem> llavaNextLayout(const LayoutRules& rules, const VisionImage& image) {
    std::vector<LayoutItem> items;
    const WholeGrid g = wholeGrid(rules, image);
    addView(items, rules, image, 0);
    addRows(items, rules, image, g, g.shownRows, g.shownColumns);
    return items;
}

std::vector<LayoutItem> llavaOnevisionLayout(const LayoutRules& rules, const VisionImage& image) {
    std::vector<LayoutItem> items;
    addView(items, rules, image, 0);
    if (image.tileRows == 0) {  // one of several pictures
        addNewline(items, rules.imageToken);
        return items;
    }
    const WholeGrid g = wholeGrid(rules, image);
    const double most = static_cast<double>(rules.maxTiles) * g.tile.rows * g.tile.rows;
    const double ratio = std::sqrt(static_cast<double>(g.shownRows) * g.shownColumns / most);
    int rows = g.shownRows;
    int columns = g.shownColumns;
    if (ratio > 1.1) {
        rows = floorDivided(rows, ratio);
        columns = floorDivided(columns, ratio);
        checkTokens(rows, columns);
    }
    addRows(items, rules, image, g, rows, columns);
    return items;
}

std::vector<LayoutItem> llavaOnevisionVideoLayout(const LayoutRules& rules, const VisionImage& video) {
    std::vector<LayoutItem> items;
    for (int i = 0; i < static_cast<int>(video.tiles.size()); ++i) {
        const TokenGrid grid = gridOf(rules, video.tiles[static_cast<std::size_t>(i)]);
        const int rows = (grid.rows + 1) / 2;
        const int columns = (grid.columns + 1) / 2;
        const double tall = grid.cellHeight * grid.rows / rows;
        const double wide = grid.cellWidth * grid.columns / columns;
        for (int row = 0; row < rows; ++row)
            for (int column = 0; column < columns; ++column)
                addPatch(items, rules.videoToken, video, i, row, column,
                         {column * wide, row * tall, wide, tall});
    }
    addNewline(items, rules.videoToken);
    return items;
}

}  // namespace fovea
