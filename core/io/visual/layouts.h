#pragma once

#include <vector>

#include "fovea/image_layout.h"

namespace fovea {

/// The square or oblong grid of tokens on one tile: each token shows `cellWidth` x `cellHeight` pixels.
struct TokenGrid {
    int rows = 0;
    int columns = 0;
    double cellWidth = 0;
    double cellHeight = 0;
};

/// One token per patch, or tokensPerTile in a square; throws Error where that is no square or does not fit.
TokenGrid gridOf(const LayoutRules& rules, const VisionTile& tile);
Rect cellRect(const TokenGrid& grid, int row, int column);

void addText(std::vector<LayoutItem>& items, std::string text);
/// An image token that shows `inTile` of a tile.
void addPatch(std::vector<LayoutItem>& items, const std::string& token, const VisionImage& image, int tile,
              int row, int column, const Rect& inTile);
/// All tokens of one tile, row by row.
void addGrid(std::vector<LayoutItem>& items, const LayoutRules& rules, const VisionImage& image, int tile);
/// Tokens before the patches, and without the first of all where the rules say so.
void addView(std::vector<LayoutItem>& items, const LayoutRules& rules, const VisionImage& image, int tile);

std::vector<LayoutItem> llavaNextLayout(const LayoutRules& rules, const VisionImage& image);
std::vector<LayoutItem> llavaOnevisionLayout(const LayoutRules& rules, const VisionImage& image);
std::vector<LayoutItem> llavaOnevisionVideoLayout(const LayoutRules& rules, const VisionImage& video);
std::vector<LayoutItem> idefics3Layout(const LayoutRules& rules, const VisionImage& image);
std::vector<LayoutItem> smolVlmVideoLayout(const LayoutRules& rules, const VisionImage& video);
std::vector<LayoutItem> internVlLayout(const LayoutRules& rules, const VisionImage& image);
std::vector<LayoutItem> internVlVideoLayout(const LayoutRules& rules, const VisionImage& video);
std::vector<LayoutItem> gemma3Layout(const LayoutRules& rules, const VisionImage& image);
std::vector<LayoutItem> qwenLayout(const LayoutRules& rules, const VisionImage& image);
std::vector<LayoutItem> qwenVideoLayout(const LayoutRules& rules, const VisionImage& video);

}  // namespace fovea
