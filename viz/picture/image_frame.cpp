#include "picture/image_frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "picture/resample.h"

namespace fovea::viz {
namespace {

constexpr double embeddedPixelsPerUnit = 2;
constexpr double highest = 1.1;     // of the width
constexpr double shortestSide = 4;  // units; a picture of 20000 x 1 still shows
constexpr std::size_t maximumNames = 2000;

}  // namespace

Rect ImageFrame::map(const Rect& p) const {
    const Point a = map(p.x, p.y), b = map(p.x + p.width, p.y + p.height);
    return {a.x, a.y, b.x - a.x, b.y - a.y};
}

Point ImageFrame::map(double x, double y) const {
    return {target.x + std::clamp(x / pixelWidth, 0.0, 1.0) * target.width,
            target.y + std::clamp(y / pixelHeight, 0.0, 1.0) * target.height};
}

bool ImageFrame::holds(double x, double y) const {
    return x >= 0 && y >= 0 && x <= pixelWidth && y <= pixelHeight;
}

Rect imageExtent(const PaintInput& input, int image, const Rect& area) {
    if (image >= 0 && image < static_cast<int>(input.tokens.images.size())) {
        const ImageGeometry& geometry = input.tokens.images[image];
        if (geometry.width > 0 && geometry.height > 0)
            return {0, 0, static_cast<double>(geometry.width), static_cast<double>(geometry.height)};
    }
    if (!input.image.empty())
        return {0, 0, static_cast<double>(input.image.width), static_cast<double>(input.image.height)};
    const double width = area.x + area.width, height = area.y + area.height;
    if (width > 0 && height > 0) return {0, 0, width, height};
    return {0, 0, 1, 1};
}

ImageFrame imageFrame(const Figure& figure, const Rect& extent, const Placement& place) {
    const double available = std::max(60.0, figure.bodyWidth() - place.left - place.right);
    double width = available, height = width * extent.height / extent.width;
    if (height > highest * available) {
        height = highest * available;
        width = height * extent.width / extent.height;
    }
    width = std::max(width, shortestSide);
    height = std::max(height, shortestSide);
    const double x = figure.left() + place.left + (available - width) / 2;
    return {{x, figure.top() + place.top, width, height}, extent.width, extent.height};
}

ImageFrame placeImage(Figure& figure, const PaintInput& input, const Rect& extent, int image,
                      const Placement& place) {
    const ImageFrame frame = imageFrame(figure, extent, place);
    drawImage(figure, input, image, frame, place.fade);
    return frame;
}

ImageFrame fitted(const Rect& box, const Rect& extent) {
    const double scale = std::min(box.width / extent.width, box.height / extent.height);
    const double width = std::max(shortestSide, extent.width * scale), height = std::max(shortestSide, extent.height * scale);
    return {{box.x + (box.width - width) / 2, box.y, width, height}, extent.width, extent.height};
}

void drawImage(Figure& figure, const PaintInput& input, int image, const ImageFrame& frame, double fade) {
    figure.image({std::max(0, image), frame.target, {0, 0, frame.pixelWidth, frame.pixelHeight}});
    if (input.image.empty()) {
        figure.add("image", RectMark{frame.target, {ink::line, 0.8, Color{245, 245, 245, 255}, false}, 0});
    } else {
        const auto pixels = [](double units) {
            return static_cast<int>(std::ceil(units * embeddedPixelsPerUnit));
        };
        const Pixels base =
            reduced(input.image, pixels(frame.target.width), pixels(frame.target.height));
        auto rgba = std::make_shared<std::vector<std::uint8_t>>();
        rgba->reserve(base.rgb.size() / 3 * 4);
        const auto faded = [&](std::uint8_t v) {
            return static_cast<std::uint8_t>(std::lround(v + (255 - v) * fade));
        };
        for (std::size_t i = 0; i + 2 < base.rgb.size(); i += 3)
            rgba->insert(rgba->end(),
                         {faded(base.rgb[i]), faded(base.rgb[i + 1]), faded(base.rgb[i + 2]), 255});
        figure.add("image", RasterMark{frame.target, base.width, base.height, std::move(rgba), true, 1});
    }
    if (image >= 0 && image < static_cast<int>(input.tokens.images.size()) &&
        !input.tokens.images[image].unread.empty()) {
        const Color veil{255, 255, 255, 150};
        for (const Rect& unread : input.tokens.images[image].unread)
            figure.add("image", RectMark{frame.map(unread), {ink::none, 0, veil, false}, 0});
        const double size = figure.fontSize();
        figure.legendOnce(
            {RectMark{{0, size * 0.1, size, size}, {ink::line, 0.8, Color{235, 235, 235, 255}, false}, 0}},
            size, "not read by the model");
    }
}

const StageTokens* stageWithGrid(const TokenMap& tokens, int rows, int columns) {
    for (const StageTokens& stage : tokens.stages)
        if (stage.gridRows == rows && stage.gridColumns == columns && rows > 0 && columns > 0) return &stage;
    return nullptr;
}

const StageTokens* findStage(const TokenMap& tokens, const std::string& name) {
    for (const StageTokens& stage : tokens.stages)
        if (stage.stage == name) return &stage;
    return nullptr;
}

std::string tokenName(const StageTokens* stage, int index, BrokenBytes bytes) {
    if (!stage || index < 0 || index >= stage->size()) return fmt::format("token {}", index);
    const Token& token = stage->tokens[index];
    if (!token.text.empty())
        return fmt::format("\"{}\" (token {})", elideText(printable(token.text, bytes), 200, 12), index);
    if (token.row >= 0) return fmt::format("token {} (row {}, col {})", index, token.row, token.column);
    return fmt::format("token {} ({})", index, tokenKindName(token.kind));
}

std::string tokenNames(const StageTokens* stage, std::vector<int> tokens) {
    std::sort(tokens.begin(), tokens.end());
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    const auto plain = [&](int index) {
        return !stage || index < 0 || index >= stage->size() || stage->tokens[index].text.empty();
    };
    std::string out;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        std::size_t last = i;
        while (last + 1 < tokens.size() && tokens[last + 1] == tokens[last] + 1 && plain(tokens[i]) &&
               plain(tokens[last + 1]))
            ++last;
        if (!out.empty()) out += ", ";
        out += last >= i + 2 ? fmt::format("tokens {}\u2013{}", tokens[i], tokens[last])
                             : tokenName(stage, tokens[i]);
        if (last >= i + 2) i = last;
        if (out.size() > maximumNames * 20) break;
    }
    return out;
}

std::string sinkSentence(SinkPolicy policy, const StageTokens* stage, const std::vector<int>& tokens) {
    if (tokens.empty()) return {};
    const std::string names = tokenNames(stage, tokens);
    switch (policy) {
        case SinkPolicy::Keep:
            return "Sinks, drawn as they are: " + names + ".";
        case SinkPolicy::Mask:
            return "Sinks left out, the rest scaled up to the same sum: " + names + ".";
        case SinkPolicy::Redistribute:
            return "Sinks set to 0, their mass spread evenly over the rest: " + names + ".";
    }
    return {};
}

}  // namespace fovea::viz
