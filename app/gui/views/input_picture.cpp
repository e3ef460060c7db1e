#include "views/input_picture.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>

#include "fovea/seen_pictures.h"
#include "picture/text_metrics.h"
#include "picture/token_runs.h"
#include "views/tile_picture.h"

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

viz::TextMark textAt(double x, double y, std::string words, double size, viz::Color color) {
    viz::TextMark mark;
    mark.position = {x, y};
    mark.text = std::move(words);
    mark.size = size;
    mark.color = color;
    return mark;
}

Rect wholeOf(const Pixels& picture) {
    return {0, 0, static_cast<double>(picture.width), static_cast<double>(picture.height)};
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

/// Tokens as labelled boxes in reading order.
class Chips {
public:
    Chips(viz::Picture& picture, const std::string& stage, double top) : m_picture(picture), m_stage(stage), m_y(top) {}

    void add(const std::string& text, int token, bool quiet, std::string label) {
        const std::string shown = viz::elideText(viz::printable(text), m_picture.width - 2 * margin - 18, 14, viz::Face::Mono);
        const double width = 18 + viz::textWidth(shown, 14, viz::Face::Mono);
        if (m_x > margin && m_x + width > m_picture.width - margin) {
            m_x = margin;
            m_y += 32;
        }
        const Rect box{m_x, m_y, width, 26};
        const viz::Color fill = quiet ? viz::Color{238, 240, 244, 255} : viz::Color{255, 255, 255, 255};
        m_layer.marks.emplace_back(viz::RectMark{box, {{150, 158, 172, 255}, 1, fill, false}, 4});
        viz::TextMark mark = textAt(m_x + width / 2, m_y + 18, shown, 14, quiet ? faint : ink);
        mark.anchor = viz::Anchor::Middle;
        mark.monospace = true;
        m_layer.marks.emplace_back(std::move(mark));
        m_picture.hits.push_back({box, token, m_stage, std::numeric_limits<double>::quiet_NaN(), std::move(label), {}});
        m_x += width + 8;
    }
    /// The lower edge.
    double finish() {
        const bool any = !m_layer.marks.empty();
        m_picture.layers.push_back(std::move(m_layer));
        return any ? m_y + 26 : m_y;
    }

private:
    viz::Picture& m_picture;
    std::string m_stage;
    viz::Layer m_layer{"tokens", {}};
    double m_x = margin, m_y;
};

double addChips(viz::Picture& picture, const StageTokens& stage, double top) {
    Chips chips(picture, stage.stage, top);
    for (std::size_t i = 0; i < stage.tokens.size(); ++i) {
        const Token& token = stage.tokens[i];
        if (token.row >= 0) continue;
        const std::string label = token.text.empty() ? tokenKindName(token.kind) : token.text;
        // Padding comes in runs that are of no interest one by one.
        std::size_t end = i + 1;
        while (token.kind == TokenKind::Padding && end < stage.tokens.size() && stage.tokens[end].kind == TokenKind::Padding) ++end;
        const std::string run = end > i + 1 ? label + " x " + std::to_string(end - i) : label;
        chips.add(run, end > i + 1 ? -1 : token.index, true, run);
        i = end - 1;
    }
    return chips.finish();
}

/// A prompt after the chat template; a picture's tokens as one box.
double addPrompt(viz::Picture& picture, const StageTokens& stage, double top) {
    const std::vector<viz::TokenRun> runs = viz::tokenRuns(stage);
    const bool several = std::any_of(runs.begin(), runs.end(), [](const viz::TokenRun& run) { return run.image > 0; });
    Chips chips(picture, stage.stage, top);
    for (const viz::TokenRun& run : runs) {
        const Token& token = stage.tokens[static_cast<std::size_t>(run.begin)];
        if (run.isImage()) {
            const std::string name = viz::runName(run, several);
            const std::string from = std::to_string(run.begin), to = std::to_string(run.end - 1);
            chips.add(name, -1, true, "tokens " + from + " to " + to + ": " + name);
        } else {
            const std::string label = token.text.empty() ? std::to_string(token.index) : token.text;
            chips.add(label, token.index, token.kind != TokenKind::Text, label);
        }
    }
    return chips.finish();
}

void addAll(viz::Layer& layer, viz::Layer added) {
    std::move(added.marks.begin(), added.marks.end(), std::back_inserter(layer.marks));
}

const StageTokens* promptStage(const TokenMap& map) {
    for (const StageTokens& stage : map.stages)
        if (stage.stage == "text" && viz::readsText(stage)) return &stage;
    return nullptr;
}

/// Whether the pictures, if there are any, are read as tokens of the prompt.
bool holdsPictures(const StageTokens& prompt, const TokenMap& map) {
    return map.images.empty() || std::any_of(prompt.tokens.begin(), prompt.tokens.end(), [](const Token& token) {
               return token.kind == TokenKind::Image;
           });
}

/// Outlines of what the tokens of one of several pictures, or of its tiles, read.
void addRects(viz::Picture& picture, viz::Layer& grid, const Fit& fit, const StageTokens& stage, int image) {
    const viz::Style line{gridLine, 1, {0, 0, 0, 0}, false};
    for (const Token& token : stage.tokens) {
        if (token.image != image || token.rect.empty()) continue;
        const Rect rect = fit.map(token.rect);
        grid.marks.emplace_back(viz::RectMark{rect, line, 0});
        picture.hits.push_back(
            {rect, token.index, stage.stage, std::numeric_limits<double>::quiet_NaN(), {}, token.rect});
    }
}

/// The pictures of one prompt: each with the places of its tokens and what the model saw of it first.
double addPictures(viz::Picture& picture, const ModelInput& input, const TokenMap& map, const StageTokens& prompt,
                   const ModelSpec* spec) {
    const auto* seenPictures = dynamic_cast<const SeenPictures*>(&input);
    TileLayers tiles;
    viz::Layer images{"image", {}}, grid{"grid", {}}, words{"text", {}}, areas{"areas", {}};
    double top = margin, widest = 2 * margin + 480;
    for (std::size_t i = 0; i < map.images.size() && i < input.originals.size(); ++i) {
        const Pixels& original = input.originals[i];
        if (original.empty()) continue;
        const Fit fit = fitInto(margin, top + heading, original.width, original.height);
        images.marks.emplace_back(rasterOf(original, fit.target, 1200));
        picture.images.push_back({static_cast<int>(i), fit.target, wholeOf(original)});
        const std::string which = map.images.size() > 1 ? "Picture " + std::to_string(i + 1) : "Picture";
        const auto tokens = std::count_if(prompt.tokens.begin(), prompt.tokens.end(), [&](const Token& token) {
            return token.kind == TokenKind::Image && token.image == static_cast<int>(i);
        });
        const std::string size = sizeText(original.width, original.height);
        words.marks.emplace_back(
            textAt(margin, top + 16, which + "  " + size + ", " + std::to_string(tokens) + " tokens", 16, ink));
        for (const Rect& rect : map.images[i].unread)
            areas.marks.emplace_back(viz::RectMark{fit.map(rect), {{0, 0, 0, 0}, 0, {20, 22, 28, 150}, false}, 0});
        addRects(picture, grid, fit, prompt, static_cast<int>(i));
        double right = margin + fit.target.width, bottom = top + heading + fit.target.height;
        std::string below;
        const VisionImage* parts = seenPictures && i < seenPictures->pictures.size() ? &seenPictures->pictures[i] : nullptr;
        if (parts && isTiled(*parts)) outlineTiles(tiles, *parts, fit.target);
        if (parts && i < seenPictures->windows.size() && !seenPictures->windows[i].empty()) {
            outlineWindows(tiles, *parts, seenPictures->windows[i], fit.target);
            below = windowsText(spec);
        }
        if (parts && isTiled(*parts)) {
            const std::string title = "What the model saw  " + tilesText(*parts);
            words.marks.emplace_back(textAt(right + gap, top + 16, title, 16, ink));
            const viz::Point corner = addTiles(tiles, *parts, right + gap, top + heading);
            bottom = std::max(bottom, corner.y);
            right = std::max(corner.x, right + gap + viz::textWidth(title, 16, viz::Face::Regular));
        } else if (i < input.seen.size() && !input.seen[i].empty()) {
            const Pixels& seen = input.seen[i];
            const Fit beside = fitInto(right + gap, top + heading, seen.width, seen.height);
            images.marks.emplace_back(rasterOf(seen, beside.target, 1200));
            const std::string title = "What the model saw  " + sizeText(seen.width, seen.height);
            words.marks.emplace_back(textAt(right + gap, top + 16, title, 16, ink));
            bottom = std::max(bottom, top + heading + beside.target.height);
            right += gap + std::max(beside.target.width, 260.0);
        }
        if (!below.empty()) {
            words.marks.emplace_back(textAt(margin, bottom + 20, below, 14, faint));
            widest = std::max(widest, 2 * margin + viz::textWidth(below, 14, viz::Face::Regular));
            bottom += 26;
        }
        widest = std::max(widest, right + margin);
        top = bottom + margin;
    }
    picture.width = widest;
    addAll(images, std::move(tiles.images));
    addAll(grid, std::move(tiles.outlines));
    addAll(words, std::move(tiles.words));
    picture.hits.insert(picture.hits.end(), tiles.hits.begin(), tiles.hits.end());
    for (viz::Layer* layer : {&images, &areas, &grid, &words}) picture.layers.push_back(std::move(*layer));
    return top;
}

viz::Picture pictureOfPrompt(const ModelInput& input, const TokenMap& map, const StageTokens& prompt, const ModelSpec* spec) {
    viz::Picture picture;
    picture.title = "What the model read";
    double top = addPictures(picture, input, map, prompt, spec);
    viz::Layer words{"text", {}};
    words.marks.emplace_back(textAt(margin, top + 16, "Prompt  " + std::to_string(prompt.size()) + " tokens", 16, ink));
    picture.layers.push_back(std::move(words));
    picture.height = addPrompt(picture, prompt, top + heading) + margin;
    return picture;
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

viz::Picture pictureOfInput(const ModelInput& input, int item, const ModelSpec* spec) {
    viz::Picture picture;
    picture.title = "What the model saw";
    const auto at = static_cast<std::size_t>(item);
    if (at >= input.maps.size()) return picture;
    const TokenMap& map = input.maps[at];
    // A prompt holds all pictures of its item.
    if (const StageTokens* prompt = promptStage(map); prompt && input.maps.size() == 1 && holdsPictures(*prompt, map))
        return pictureOfPrompt(input, map, *prompt, spec);
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
        picture.images.push_back({0, fit.target, wholeOf(original)});
        words.marks.emplace_back(
            textAt(left, margin + 16, "Picture  " + sizeText(original.width, original.height), 16, ink));
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
    const auto* seenPictures = dynamic_cast<const SeenPictures*>(&input);
    TileLayers tiles;
    if (seenPictures && at < seenPictures->pictures.size() && isTiled(seenPictures->pictures[at])) {
        const VisionImage& parts = seenPictures->pictures[at];
        const std::string title = "What the model saw  " + tilesText(parts);
        words.marks.emplace_back(textAt(left, margin + 16, title, 16, ink));
        const viz::Point corner = addTiles(tiles, parts, left, top);
        left = std::max(corner.x, left + viz::textWidth(title, 16, viz::Face::Regular)) + gap;
        bottom = std::max(bottom, corner.y);
    } else if (!seen.empty()) {
        seenFit = fitInto(left, top, seen.width, seen.height);
        images.marks.emplace_back(rasterOf(seen, seenFit->target, 1200));
        std::string title = "What the model saw  " + sizeText(seen.width, seen.height);
        if (stage && stage->gridRows > 0)
            title += ", " + sizeText(stage->gridColumns, stage->gridRows) + " tokens";
        words.marks.emplace_back(textAt(left, margin + 16, title, 16, ink));
        left += seenFit->target.width + gap;
        bottom = std::max(bottom, top + seenFit->target.height);
    }
    picture.width = std::max(left - gap + margin, 2 * margin + 200);
    addAll(images, std::move(tiles.images));
    addAll(words, std::move(tiles.words));
    picture.hits.insert(picture.hits.end(), tiles.hits.begin(), tiles.hits.end());
    picture.layers.push_back(std::move(images));
    picture.layers.push_back(std::move(areas));
    if (seenFit && stage) addSeen(picture, *seenFit, *stage);
    if (!map.images.empty() && !map.images.front().unread.empty() && !original.empty()) {
        words.marks.emplace_back(textAt(margin, bottom + 20, "Dark: pixels that no token reads", 14, faint));
        bottom += 24;
    }
    if (stage) bottom = addChips(picture, *stage, bottom + 14);
    picture.layers.push_back(std::move(words));
    picture.height = bottom + margin;
    return picture;
}

}  // namespace fovea::gui
