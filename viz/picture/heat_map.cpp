#include "picture/heat_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "picture/resample.h"

namespace fovea::viz {
namespace {

constexpr int smoothSide = 448;         // pixels of a smoothed heat map's longer side
constexpr double smallestGridCell = 5;  // units; finer token grids would cover the picture
constexpr std::size_t maximumHatched = 4096, maximumHits = 20000;

std::shared_ptr<std::vector<std::uint8_t>> colored(const std::vector<float>& values, const ColorBar& bar,
                                                   double opacity) {
    auto rgba = std::make_shared<std::vector<std::uint8_t>>(values.size() * 4, 0);
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double position = bar.scale.position(values[i]);
        if (std::isnan(position) || !bar.scale.shows(position, bar.threshold)) continue;
        const Color c = bar.map.at(position);
        const double share = std::clamp(opacity, 0.0, 1.0) * (bar.fades ? heatShare(bar.scale, position) : 1);
        const auto alpha = static_cast<std::uint8_t>(std::lround(255 * share));
        std::copy_n(std::initializer_list<std::uint8_t>{c.r, c.g, c.b, alpha}.begin(), 4,
                    rgba->begin() + 4 * i);
    }
    return rgba;
}

void addTokenGrid(Figure& figure, const Rect& area, int rows, int columns) {
    if (area.width / columns < smallestGridCell || area.height / rows < smallestGridCell) return;
    const Style hair{Color{255, 255, 255, 110}, 0.6, ink::none, false};
    for (int c = 0; c <= columns; ++c) {
        const double x = area.x + area.width * c / columns;
        figure.add("grid", LineMark{{{x, area.y}, {x, area.y + area.height}}, hair, false, false});
    }
    for (int r = 0; r <= rows; ++r) {
        const double y = area.y + area.height * r / rows;
        figure.add("grid", LineMark{{{area.x, y}, {area.x + area.width, y}}, hair, false, false});
    }
}

Rect cellRect(const Rect& area, int rows, int columns, int row, int column) {
    return {area.x + area.width * column / columns, area.y + area.height * row / rows, area.width / columns,
            area.height / rows};
}

void addHeat(Figure& figure, const PaintInput& in, const GridView& view, const Rect& area, const ColorBar& bar) {
    const double opacity = in.image.empty() ? 1 : in.display.opacity;
    if (in.display.filter == Filter::Nearest) {
        figure.add("heat",
                   RasterMark{area, view.columns, view.rows, colored(view.values, bar, opacity), false, 1});
        return;
    }
    const double longer = std::max(area.width, area.height);
    const int width = std::max(view.columns, static_cast<int>(smoothSide * area.width / longer));
    const int height = std::max(view.rows, static_cast<int>(smoothSide * area.height / longer));
    const std::vector<float> fine =
        upsample(view.values, view.rows, view.columns, height, width, in.display.filter);
    figure.add("heat", RasterMark{area, width, height, colored(fine, bar, opacity), true, 1});
}

/// A map of pixels is read out by token: the mean over the token's rectangle.
void addTokenHits(Figure& figure, const PaintInput& in, const GridView& view, const ImageFrame& frame,
                  const std::string& which) {
    if (!view.stage || view.rows == 0 || view.columns == 0 || view.area.empty()) return;
    for (const Token& token : view.stage->tokens) {
        if (token.row < 0 || std::max(0, token.image) != view.image) continue;
        const auto cellAt = [](double pixel, double origin, double extent, int cells) {
            return static_cast<int>(
                std::clamp((pixel - origin) / extent * cells, 0.0, static_cast<double>(cells)));
        };
        const int left = cellAt(token.rect.x, view.area.x, view.area.width, view.columns);
        const int right = cellAt(token.rect.x + token.rect.width, view.area.x, view.area.width, view.columns);
        const int top = cellAt(token.rect.y, view.area.y, view.area.height, view.rows);
        const int bottom = cellAt(token.rect.y + token.rect.height, view.area.y, view.area.height, view.rows);
        double sum = 0;
        int count = 0;
        for (int r = top; r < bottom; ++r)
            for (int c = left; c < right; ++c) {
                const float value = view.raw[static_cast<std::size_t>(r) * view.columns + c];
                if (std::isnan(value)) continue;
                sum += value;
                ++count;
            }
        HitArea hit{frame.map(token.rect),
                    token.index,
                    view.stage->stage,
                    count ? sum / count : std::nan(""),
                    {},
                    token.rect};
        hit.label = which + fmt::format("token {}  row {} col {}  mean {} {}", token.index, token.row, token.column,
                                valueText(hit.value), in.finding.unit);
        figure.hit(std::move(hit));
    }
}

void addCells(Figure& figure, const PaintInput& in, const GridView& view, const ImageFrame& frame,
              const Rect& area, const std::string& which) {
    std::size_t missing = 0;
    const std::string unit = in.finding.unit.empty() ? "" : " " + in.finding.unit;
    const bool hits = view.onTokenGrid && view.values.size() <= maximumHits;
    for (int row = 0; row < view.rows; ++row)
        for (int column = 0; column < view.columns; ++column) {
            const std::size_t index = static_cast<std::size_t>(row) * view.columns + column;
            const Rect cell = cellRect(area, view.rows, view.columns, row, column);
            const int token = view.tokenAt(row, column);
            if (std::isnan(view.values[index]) && ++missing <= maximumHatched)
                addMissingCell(figure, "marks", cell);
            if (!hits) continue;
            HitArea hit{cell, token, view.stage ? view.stage->stage : "", view.raw[index], {}, {}};
            hit.source =
                view.stage && token >= 0 ? view.stage->tokens[token].rect : view.sourceRect(row, column);
            hit.label = which + fmt::format("{}  row {} col {}  px {:.0f},{:.0f}\u2013{:.0f},{:.0f}  {}{}",
                                    token >= 0 ? fmt::format("token {}", token) : std::string("cell"), row,
                                    column, hit.source.x, hit.source.y, hit.source.x + hit.source.width,
                                    hit.source.y + hit.source.height, valueText(hit.value), unit);
            figure.hit(std::move(hit));
        }
    if (missing > 0) legendMissing(figure);
    if (!view.onTokenGrid) addTokenHits(figure, in, view, frame, which);
    const auto outline = [&](const std::vector<int>& tokens, Color color, bool dashed) {
        for (const int token : tokens) {
            if (!view.stage || token < 0 || token >= view.stage->size()) continue;
            const Token& t = view.stage->tokens[token];
            const auto cell = std::find(view.tokens.begin(), view.tokens.end(), token) - view.tokens.begin();
            if (view.onTokenGrid && cell < static_cast<std::ptrdiff_t>(view.tokens.size()))
                addCellOutline(figure,
                               cellRect(area, view.rows, view.columns, static_cast<int>(cell) / view.columns,
                                        static_cast<int>(cell) % view.columns),
                               color, dashed);
            else if (!view.onTokenGrid && t.row >= 0 && std::max(0, t.image) == view.image)
                addCellOutline(figure, frame.map(t.rect), color, dashed);
        }
    };
    outline(in.display.sinkTokens, ink::sink, true);
    outline(in.selectedTokens, ink::selected, false);
}

constexpr double leastStructure = 0.01;  // of the mean; less is no structure

}  // namespace

void addHeatMap(Figure& figure, const PaintInput& in, const GridView& view, const ImageFrame& frame, const ColorBar& bar,
                const std::string& label) {
    const Rect area = frame.map(view.area);
    addHeat(figure, in, view, area, bar);
    if (in.display.tokenGrid && view.onTokenGrid) addTokenGrid(figure, area, view.rows, view.columns);
    addCells(figure, in, view, frame, area, label.empty() ? "" : label + "  ");
}

std::string flatness(const std::vector<float>& values) {
    double low = std::numeric_limits<double>::infinity(), high = -low, sum = 0;
    int count = 0;
    for (const float value : values) {
        if (!std::isfinite(value)) continue;
        low = std::min<double>(low, value);
        high = std::max<double>(high, value);
        sum += value;
        ++count;
    }
    if (count < 2) return {};
    if (low == 0 && high == 0) return "All values are 0.";
    if (high - low >= leastStructure * std::abs(sum / count)) return {};
    return fmt::format("The values are practically constant: {} to {}.", valueText(low), valueText(high));
}

}  // namespace fovea::viz
