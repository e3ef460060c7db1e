#include "views/input_picture.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace fovea::gui {

namespace {

constexpr double side = 448;  // longest side of either panel, picture units
constexpr double gap = 40;
constexpr double margin = 20;
constexpr double heading = 30;
constexpr viz::Color ink{40, 44, 52, 255};
constexpr viz::Color faint{110, 116, 128, 255};
constexpr viz::Color gridLine{255, 255, 255, 110};

struct Fit {
    Rect target;
    double scaleX = 1, scaleY = 1;
    Rect map(const Rect& r) const {
        return {target.x + r.x * scaleX, target.y + r.y * scaleY, r.width * scaleX, r.height * scaleY};
    }
};

Fit fitInto(double left, double top, int width, int height) {
    const double scale = side / std::max(1, std::max(width, height));
    return {{left, top, width * scale, height * scale}, scale, scale};
}

viz::TextMark text(double x, double y, std::string words, double size, viz::Color color) {
    viz::TextMark mark;
    mark.position = {x, y};
    mark.text = std::move(words);
    mark.size = size;
    mark.color = color;
    return mark;
}

std::string sizeText(int width, int height) {
    return std::to_string(width) + " x " + std::to_string(height);
}

const StageTokens* imageStage(const TokenMap& map) {
    for (const StageTokens& stage : map.stages)
        if (stage.gridRows > 0) return &stage;
    return map.stages.empty() ? nullptr : &map.stages.front();
}

void addSeen(viz::Picture& picture, const Fit& fit, const StageTokens& stage) {
    viz::Layer grid{"grid", {}};
    const viz::Style line{gridLine, 1, {0, 0, 0, 0}, false};
    const double cellW = fit.target.width / std::max(1, stage.gridColumns);
    const double cellH = fit.target.height / std::max(1, stage.gridRows);
    for (int c = 1; c < stage.gridColumns; ++c) {
        const double x = fit.target.x + c * cellW;
        grid.marks.emplace_back(
            viz::LineMark{{{x, fit.target.y}, {x, fit.target.y + fit.target.height}}, line, false, false});
    }
    for (int r = 1; r < stage.gridRows; ++r) {
        const double y = fit.target.y + r * cellH;
        grid.marks.emplace_back(
            viz::LineMark{{{fit.target.x, y}, {fit.target.x + fit.target.width, y}}, line, false, false});
    }
    picture.layers.push_back(std::move(grid));
    for (const Token& token : stage.tokens) {
        if (token.row < 0) continue;
        picture.hits.push_back(
            {{fit.target.x + token.column * cellW, fit.target.y + token.row * cellH, cellW, cellH},
             token.index,
             stage.stage,
             std::numeric_limits<double>::quiet_NaN(),
             {},
             token.rect});
    }
}

double addChips(viz::Picture& picture, const StageTokens& stage, double top) {
    viz::Layer chips{"tokens", {}};
    double x = margin;
    for (const Token& token : stage.tokens) {
        if (token.row >= 0) continue;
        const std::string label = token.text.empty() ? tokenKindName(token.kind) : token.text;
        const double width = 18 + 8.6 * static_cast<double>(label.size());
        if (x + width > picture.width - margin) {
            x = margin;
            top += 32;
        }
        const Rect box{x, top, width, 26};
        chips.marks.emplace_back(
            viz::RectMark{box, {{150, 158, 172, 255}, 1, {238, 240, 244, 255}, false}, 4});
        viz::TextMark mark = text(x + width / 2, top + 18, label, 14, ink);
        mark.anchor = viz::Anchor::Middle;
        mark.monospace = true;
        chips.marks.emplace_back(std::move(mark));
        picture.hits.push_back(
            {box, token.index, stage.stage, std::numeric_limits<double>::quiet_NaN(), label, {}});
        x += width + 8;
    }
    const bool any = !chips.marks.empty();
    picture.layers.push_back(std::move(chips));
    return any ? top + 26 : top;
}

}  // namespace

viz::RasterMark rasterOf(const Pixels& pixels, const Rect& target, int longest) {
    const int step = std::max(1, (std::max(pixels.width, pixels.height) + longest - 1) / longest);
    viz::RasterMark mark;
    mark.target = target;
    mark.width = (pixels.width + step - 1) / step;
    mark.height = (pixels.height + step - 1) / step;
    mark.smooth = true;
    auto rgba = std::make_shared<std::vector<std::uint8_t>>();
    rgba->reserve(static_cast<std::size_t>(mark.width) * static_cast<std::size_t>(mark.height) * 4);
    for (int y = 0; y < pixels.height; y += step)
        for (int x = 0; x < pixels.width; x += step) {
            const std::uint8_t* p = pixels.at(x, y);
            rgba->insert(rgba->end(), {p[0], p[1], p[2], 255});
        }
    mark.rgba = std::move(rgba);
    return mark;
}

viz::Picture pictureOfInput(const ModelInput& input, int item) {
    viz::Picture picture;
    picture.title = "What the model saw";
    const auto at = static_cast<std::size_t>(item);
    if (at >= input.maps.size()) return picture;
    const TokenMap& map = input.maps[at];
    const StageTokens* stage = imageStage(map);
    const Pixels none;
    const Pixels& original = at < input.originals.size() ? input.originals[at] : none;
    const Pixels& seen = at < input.seen.size() ? input.seen[at] : none;

    const double top = margin + heading;
    double left = margin, bottom = top;
    viz::Layer images{"image", {}}, words{"text", {}}, areas{"areas", {}};
    if (!original.empty()) {
        const Fit fit = fitInto(left, top, original.width, original.height);
        images.marks.emplace_back(rasterOf(original, fit.target, 1200));
        words.marks.emplace_back(
            text(left, margin + 16, "Picture  " + sizeText(original.width, original.height), 16, ink));
        if (!map.images.empty())
            for (const Rect& rect : map.images.front().unread)
                areas.marks.emplace_back(
                    viz::RectMark{fit.map(rect), {{0, 0, 0, 0}, 0, {20, 22, 28, 150}, false}, 0});
        if (stage)
            for (const Token& token : stage->tokens)
                if (!token.rect.empty())
                    picture.hits.push_back({fit.map(token.rect),
                                            token.index,
                                            stage->stage,
                                            std::numeric_limits<double>::quiet_NaN(),
                                            {},
                                            token.rect});
        left += fit.target.width + gap;
        bottom = std::max(bottom, top + fit.target.height);
    }
    std::optional<Fit> seenFit;
    if (!seen.empty()) {
        seenFit = fitInto(left, top, seen.width, seen.height);
        images.marks.emplace_back(rasterOf(seen, seenFit->target, 1200));
        std::string title = "What the model saw  " + sizeText(seen.width, seen.height);
        if (stage && stage->gridRows > 0)
            title += ", " + sizeText(stage->gridColumns, stage->gridRows) + " tokens";
        words.marks.emplace_back(text(left, margin + 16, title, 16, ink));
        left += seenFit->target.width + gap;
        bottom = std::max(bottom, top + seenFit->target.height);
    }
    picture.width = std::max(left - gap + margin, 2 * margin + 200);
    picture.layers.push_back(std::move(images));
    picture.layers.push_back(std::move(areas));
    if (seenFit && stage) addSeen(picture, *seenFit, *stage);
    if (!map.images.empty() && !map.images.front().unread.empty() && !original.empty()) {
        words.marks.emplace_back(text(margin, bottom + 20, "Dark: pixels that no token reads", 14, faint));
        bottom += 24;
    }
    if (stage) bottom = addChips(picture, *stage, bottom + 14);
    picture.layers.push_back(std::move(words));
    picture.height = bottom + margin;
    return picture;
}

}  // namespace fovea::gui
