#include "fovea/image_layout.h"

#include <cmath>
#include <fmt/format.h>
#include <utility>

#include "fovea/error.h"
#include "io/visual/layouts.h"

namespace fovea {

TokenGrid gridOf(const LayoutRules& rules, const VisionTile& tile) {
    const int width = tile.transform.inputWidth;
    const int height = tile.transform.inputHeight;
    if (rules.patchSize < 1 || rules.patchSize > std::min(width, height)) {
        throw Error(fmt::format("patch_size: expected 1 to {} (the side of the vision input), found {}",
                                std::min(width, height), rules.patchSize),
                    "config.json and preprocessor_config.json do not belong together");
    }
    TokenGrid grid{height / rules.patchSize, width / rules.patchSize, static_cast<double>(rules.patchSize),
                   static_cast<double>(rules.patchSize)};
    if (rules.tokensPerTile == 0 || rules.tokensPerTile == grid.rows * grid.columns) return grid;
    const int side = static_cast<int>(std::lround(std::sqrt(rules.tokensPerTile)));
    if (side * side != rules.tokensPerTile || grid.rows < side || grid.columns < side) {
        throw Error(
            fmt::format("image_seq_length: expected a square number of tokens for {} x {} patches, found {}",
                        grid.columns, grid.rows, rules.tokensPerTile),
            "config.json, processor_config.json and preprocessor_config.json do not belong together");
    }
    grid.cellWidth *= grid.columns / side;
    grid.cellHeight *= grid.rows / side;
    grid.rows = grid.columns = side;
    return grid;
}

Rect cellRect(const TokenGrid& grid, int row, int column) {
    return {column * grid.cellWidth, row * grid.cellHeight, grid.cellWidth, grid.cellHeight};
}

void addText(std::vector<LayoutItem>& items, std::string text) {
    LayoutItem item;
    item.text = std::move(text);
    items.push_back(std::move(item));
}

void addPatch(std::vector<LayoutItem>& items, const std::string& token, const VisionImage& image, int tile,
              int row, int column, const Rect& inTile) {
    items.push_back({LayoutItem::Kind::Patch, token, tile, row, column,
                     originalRect(image.tiles[static_cast<std::size_t>(tile)], inTile)});
}

void addGrid(std::vector<LayoutItem>& items, const LayoutRules& rules, const VisionImage& image, int tile) {
    const TokenGrid grid = gridOf(rules, image.tiles[static_cast<std::size_t>(tile)]);
    for (int row = 0; row < grid.rows; ++row)
        for (int column = 0; column < grid.columns; ++column)
            addPatch(items, rules.imageToken, image, tile, row, column, cellRect(grid, row, column));
}

void addView(std::vector<LayoutItem>& items, const LayoutRules& rules, const VisionImage& image, int tile) {
    const auto first = static_cast<std::ptrdiff_t>(items.size());
    for (int i = 0; i < rules.classTokens; ++i)
        items.push_back({LayoutItem::Kind::Class, rules.imageToken, tile, 0, 0, {}});
    addGrid(items, rules, image, tile);
    if (rules.dropFirst) items.erase(items.begin() + first);
}

std::vector<LayoutItem> imageLayout(const LayoutRules& rules, const VisionImage& image) {
    using Scheme = LayoutRules::Scheme;
    if (image.tiles.empty()) throw Error("layout: the image has no tiles", {}, ErrorCode::Internal);
    std::vector<LayoutItem> items;
    switch (rules.scheme) {
        case Scheme::None:
            break;
        case Scheme::Plain:
            addView(items, rules, image, 0);
            break;
        case Scheme::Qwen:
        case Scheme::Qwen3:
            return qwenLayout(rules, image);
        case Scheme::LlavaNext:
            return llavaNextLayout(rules, image);
        case Scheme::LlavaOnevision:
            return llavaOnevisionLayout(rules, image);
        case Scheme::Idefics3:
            return idefics3Layout(rules, image);
        case Scheme::InternVl:
            return internVlLayout(rules, image);
        case Scheme::Gemma3:
            return gemma3Layout(rules, image);
    }
    return items;
}

std::vector<LayoutItem> videoLayout(const LayoutRules& rules, const VisionImage& video) {
    using Scheme = LayoutRules::Scheme;
    if (video.tiles.empty()) throw Error("layout: the video has no frames", {}, ErrorCode::Internal);
    switch (rules.scheme) {
        case Scheme::Qwen:
        case Scheme::Qwen3:
            return qwenVideoLayout(rules, video);
        case Scheme::LlavaOnevision:
            return llavaOnevisionVideoLayout(rules, video);
        case Scheme::Idefics3:
            if (!rules.videoSlot.empty()) return smolVlmVideoLayout(rules, video);
            break;
        case Scheme::InternVl:
            return internVlVideoLayout(rules, video);
        default:
            break;
    }
    throw Error("video: expected images, since this model takes no video", "give single images",
                ErrorCode::Usage);
}

std::string layoutText(const std::vector<LayoutItem>& items) {
    std::string text;
    for (const LayoutItem& item : items) text += item.text;
    return text;
}

}  // namespace fovea
