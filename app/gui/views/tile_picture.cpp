#include "views/tile_picture.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "picture/text_metrics.h"
#include "views/input_picture.h"

namespace fovea::gui {

namespace {

constexpr double side = 448;  // of the whole grid, picture units
constexpr double seam = 5, gap = 16, labelSize = 13;
constexpr double overviewShare = 0.42;
constexpr viz::Color tileLine{53, 199, 255, 255}, windowLine{255, 216, 61, 255}, dark{20, 22, 28, 190},
    white{255, 255, 255, 255}, none{0, 0, 0, 0};

struct Place {
    Rect target;
    std::string label;
    const VisionTile* tile = nullptr;
};

int columnsOf(const VisionImage& picture, int count) {
    return picture.tileColumns > 0 ? picture.tileColumns : static_cast<int>(std::ceil(std::sqrt(count)));
}

std::vector<Place> placesOf(const VisionImage& picture, double left, double top) {
    std::vector<const VisionTile*> crops;
    const VisionTile* overview = nullptr;
    for (const VisionTile& tile : picture.tiles) {
        if (tile.seen.empty()) continue;
        if (tile.overview)
            overview = &tile;
        else
            crops.push_back(&tile);
    }
    std::vector<Place> places;
    double right = left;
    const bool frames = picture.tileRows == 0;
    if (!crops.empty()) {
        const int count = static_cast<int>(crops.size()), columns = columnsOf(picture, count);
        const int rows = frames ? (count + columns - 1) / columns : picture.tileRows;
        const double width = crops.front()->seen.width, height = crops.front()->seen.height;
        const double scale = std::min((side - (columns - 1) * seam) / (columns * width), (side - (rows - 1) * seam) / (rows * height));
        for (int i = 0; i < count; ++i) {
            const VisionTile& tile = *crops[static_cast<std::size_t>(i)];
            const int row = frames ? i / columns : tile.row, column = frames ? i % columns : tile.column;
            const Rect target{left + column * (width * scale + seam), top + row * (height * scale + seam),
                              tile.seen.width * scale, tile.seen.height * scale};
            const std::string label = frames ? "frame " + std::to_string(i + 1)
                                             : "row " + std::to_string(row + 1) + ", col " + std::to_string(column + 1);
            places.push_back({target, label, &tile});
            right = std::max(right, target.x + target.width);
        }
        right += gap;
    }
    if (overview) {
        const double scale = side * overviewShare / std::max(overview->seen.width, overview->seen.height);
        places.push_back({{right, top, overview->seen.width * scale, overview->seen.height * scale}, "overview", overview});
    }
    return places;
}

void addLabel(TileLayers& layers, const Place& place) {
    const double width = viz::textWidth(place.label, labelSize, viz::Face::Regular) + 10;
    // A label that covers its tile would hide what it names.
    if (width > place.target.width - 4) return;
    layers.words.marks.emplace_back(viz::RectMark{{place.target.x + 3, place.target.y + 3, width, labelSize + 6}, {none, 0, dark, false}, 3});
    viz::TextMark mark;
    mark.position = {place.target.x + 8, place.target.y + 3 + labelSize};
    mark.text = place.label;
    mark.size = labelSize;
    mark.color = white;
    layers.words.marks.emplace_back(std::move(mark));
}

Rect mapped(const Rect& pixels, const VisionImage& picture, const Rect& target) {
    const double x = target.width / std::max(1, picture.width), y = target.height / std::max(1, picture.height);
    return {target.x + pixels.x * x, target.y + pixels.y * y, pixels.width * x, pixels.height * y};
}

Rect wholeOf(const VisionTile& tile) {
    return {0, 0, static_cast<double>(tile.seen.width), static_cast<double>(tile.seen.height)};
}

std::string ranges(const std::vector<int>& blocks) {
    std::string out;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        std::size_t last = i;
        while (last + 1 < blocks.size() && blocks[last + 1] == blocks[last] + 1) ++last;
        out += (out.empty() ? "" : ", ") + std::to_string(blocks[i]);
        if (last > i) out += "-" + std::to_string(blocks[last]);
        i = last;
    }
    return out;
}

}  // namespace

bool isTiled(const VisionImage& picture) { return picture.tiles.size() > 1; }

std::string tilesText(const VisionImage& picture) {
    const auto crops = std::count_if(picture.tiles.begin(), picture.tiles.end(), [](const VisionTile& tile) { return !tile.overview; });
    const VisionTile& first = picture.tiles.front();
    const std::string size = std::to_string(first.seen.width) + " x " + std::to_string(first.seen.height);
    if (picture.tileRows == 0) return std::to_string(picture.tiles.size()) + " frames of " + size;
    std::string text = std::to_string(picture.tileRows) + " x " + std::to_string(picture.tileColumns) + " tiles of " + size;
    if (crops < static_cast<std::ptrdiff_t>(picture.tiles.size())) text += " and an overview";
    return text;
}

viz::Point addTiles(TileLayers& layers, const VisionImage& picture, double left, double top) {
    viz::Point corner{left, top};
    for (const Place& place : placesOf(picture, left, top)) {
        layers.images.marks.emplace_back(rasterOf(place.tile->seen, place.target, 800));
        addLabel(layers, place);
        layers.hits.push_back({place.target, -1, {}, std::numeric_limits<double>::quiet_NaN(), place.label,
                               originalRect(*place.tile, wholeOf(*place.tile))});
        corner.x = std::max(corner.x, place.target.x + place.target.width);
        corner.y = std::max(corner.y, place.target.y + place.target.height);
    }
    return corner;
}

void outlineTiles(TileLayers& layers, const VisionImage& picture, const Rect& target) {
    if (picture.tileRows == 0) return;  // frames show all of it
    for (const VisionTile& tile : picture.tiles)
        if (!tile.overview)
            layers.outlines.marks.emplace_back(viz::RectMark{mapped(originalRect(tile, wholeOf(tile)), picture, target), {tileLine, 2, none, false}, 0});
}

void outlineWindows(TileLayers& layers, const VisionImage& picture, const std::vector<Rect>& windows, const Rect& target) {
    for (const Rect& window : windows)
        layers.outlines.marks.emplace_back(viz::RectMark{mapped(window, picture, target), {windowLine, 2, none, false}, 0});
}

std::string windowsText(const ModelSpec* spec) {
    std::vector<int> within, whole;
    std::string stage;
    if (spec)
        for (const AttentionSite& site : spec->sites)
            if (site.layout == SiteLayout::Windows) stage = site.stage;
    if (stage.empty()) return {};
    for (const AttentionSite& site : spec->sites)
        if (site.stage == stage) (site.layout == SiteLayout::Windows ? within : whole).push_back(site.block);
    std::string text = "Yellow: windows. Blocks " + ranges(within) + " of " + stage + " look within one window only";
    return text + (whole.empty() ? "." : "; blocks " + ranges(whole) + " over the whole picture.");
}

}  // namespace fovea::gui
