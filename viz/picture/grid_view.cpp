#include "picture/grid_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "picture/sink_policy.h"

namespace fovea::viz {
namespace {

constexpr float outshining = 2;  // times the rest
constexpr float noValue = std::numeric_limits<float>::quiet_NaN();

std::vector<float> fused(const Grid& grid, const std::string& fuse) {
    const std::size_t cells = static_cast<std::size_t>(grid.rows) * grid.columns;
    std::vector<float> out(cells, noValue);
    for (std::size_t i = 0; i < cells; ++i) {
        double sum = 0, low = std::numeric_limits<double>::infinity(), high = -low;
        int count = 0;
        for (int plane = 0; plane < grid.planeCount(); ++plane) {
            const float value = grid.values[plane * cells + i];
            if (std::isnan(value)) continue;
            sum += value;
            low = std::min<double>(low, value);
            high = std::max<double>(high, value);
            ++count;
        }
        if (count) out[i] = static_cast<float>(fuse == "max" ? high : fuse == "min" ? low : sum / count);
    }
    return out;
}

GridView viewOfGrid(const PaintInput& in, const Grid& grid, int plane, const std::string& fuse) {
    checkGrid(grid, in.finding.name);
    if (plane >= grid.planeCount())
        throw Error(fmt::format("plane {}: \"{}\" has {} planes", plane, in.finding.name, grid.planeCount()),
                    fmt::format("choose 0 to {}, or -1 for all", grid.planeCount() - 1), ErrorCode::Usage);
    GridView view;
    view.image = grid.image;
    view.rows = grid.rows;
    view.columns = grid.columns;
    view.area = grid.area;
    view.isSigned = grid.signedValues;
    GridTokens tokens = gridTokens(in.tokens, grid);
    view.stage = tokens.stage;
    view.tokens = std::move(tokens.cells);
    view.onTokenGrid = !grid.pixels;
    const std::size_t cells = static_cast<std::size_t>(grid.rows) * grid.columns;
    const int only = plane >= 0 ? plane : grid.planeCount() == 1 ? 0 : -1;
    if (only >= 0) {
        view.raw.assign(grid.values.begin() + only * cells, grid.values.begin() + (only + 1) * cells);
        view.subtitle = grid.planes[only];
    } else if (grid.planeCount() > 0) {
        view.raw = fused(grid, fuse);
        view.subtitle = fmt::format("{} of {} planes: {} to {}",
                                    fuse == "max"   ? "maximum"
                                    : fuse == "min" ? "minimum"
                                                    : "mean",
                                    grid.planeCount(), grid.planes.front(), grid.planes.back());
    }
    return view;
}

GridView viewOfScores(const PaintInput& in, const TokenScores& scores) {
    GridView view;
    view.stage = findStage(in.tokens, scores.stage);
    if (!view.stage || view.stage->gridRows <= 0 || view.stage->gridColumns <= 0) return view;
    view.rows = view.stage->gridRows;
    view.columns = view.stage->gridColumns;
    view.onTokenGrid = true;
    view.raw.assign(static_cast<std::size_t>(view.rows) * view.columns, noValue);
    view.tokens.assign(view.raw.size(), -1);
    double left = 1e300, top = 1e300, right = -1e300, bottom = -1e300;
    std::vector<int> others;
    for (const Token& token : view.stage->tokens) {
        if (token.row < 0 || token.row >= view.rows || token.column < 0 || token.column >= view.columns) {
            others.push_back(token.index);
            continue;
        }
        if (token.image > 0) continue;
        view.image = std::max(0, token.image);
        view.tokens[static_cast<std::size_t>(token.row) * view.columns + token.column] = token.index;
        if (static_cast<std::size_t>(token.index) < scores.values.size())
            view.raw[static_cast<std::size_t>(token.row) * view.columns + token.column] =
                scores.values[token.index];
        left = std::min(left, token.rect.x);
        top = std::min(top, token.rect.y);
        right = std::max(right, token.rect.x + token.rect.width);
        bottom = std::max(bottom, token.rect.y + token.rect.height);
    }
    // Scores say nothing about their sign: a negative one makes them relevance-like.
    view.isSigned = std::any_of(view.raw.begin(), view.raw.end(), [](float value) { return value < 0; });
    if (left < right && top < bottom) view.area = {left, top, right - left, bottom - top};
    if (!others.empty()) {
        view.subtitle = fmt::format("image tokens of {}; not on the picture: {}", scores.stage,
                                    others.size() <= 8 ? tokenNames(view.stage, others)
                                                       : fmt::format("{} other tokens", others.size()));
    }
    return view;
}

}  // namespace

Rect GridView::sourceRect(int row, int column) const {
    return {area.x + area.width * column / std::max(1, columns),
            area.y + area.height * row / std::max(1, rows), area.width / std::max(1, columns),
            area.height / std::max(1, rows)};
}

void checkGrid(const Grid& grid, const std::string& name) {
    const auto wanted = static_cast<std::size_t>(std::max(0, grid.rows)) *
                        static_cast<std::size_t>(std::max(0, grid.columns)) * grid.planes.size();
    if (grid.rows < 0 || grid.columns < 0 || grid.values.size() != wanted)
        throw Error(fmt::format("grid \"{}\": expected {} planes x {} x {} = {} values, found {}", name,
                                grid.planes.size(), grid.rows, grid.columns, wanted, grid.values.size()),
                    {}, ErrorCode::Internal);
}

Finding fusedFinding(const Finding& finding, const std::string& fuse) {
    const Grid* grid = std::get_if<Grid>(&finding.data);
    if (!grid || grid->planeCount() < 2) return finding;
    checkGrid(*grid, finding.name);
    Grid one = *grid;
    one.planes = {""};
    one.values = fused(*grid, fuse);
    return {finding.name + ", " + fuse + " of its planes", finding.title, finding.unit, finding.note, std::move(one)};
}

void applySinks(const Display& display, const std::vector<int>& tokens, bool isSigned, std::vector<float>& values) {
    std::vector<int> cells;
    for (std::size_t cell = 0; cell < tokens.size(); ++cell)
        if (tokens[cell] >= 0 && std::find(display.sinkTokens.begin(), display.sinkTokens.end(), tokens[cell]) != display.sinkTokens.end())
            cells.push_back(static_cast<int>(cell));
    applySinkPolicy(values, cells, display.sinks, isSigned);
}

Finding cutFinding(const Finding& finding, double percent) {
    const Grid* grid = std::get_if<Grid>(&finding.data);
    if (!grid || percent <= 0) return finding;
    Finding cut = finding;
    cut.name += fmt::format(", {:g} % cut", percent);
    std::vector<float> sizes;
    for (const float value : grid->values)
        if (std::isfinite(value)) sizes.push_back(std::abs(value));
    if (sizes.empty()) return cut;
    const auto beyond = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(sizes.size())));
    const auto end = sizes.end() - static_cast<std::ptrdiff_t>(std::min(beyond + 1, sizes.size()));
    std::nth_element(sizes.begin(), end, sizes.end());
    const float limit = *end, largest = *std::max_element(end, sizes.end());
    if (!(limit > 0) || largest <= outshining * limit) return cut;
    for (float& value : std::get<Grid>(cut.data).values) value = std::isnan(value) ? value : std::clamp(value, -limit, limit);
    return cut;
}

bool fadesHeat(const Display& display, const Finding& finding) {
    const Grid* grid = std::get_if<Grid>(&finding.data);
    return display.blend == Blend::Value || (display.blend == Blend::Auto && !(grid && grid->pixels));
}

std::string cutScaleName(const ValueScale& scale, const Display& display, double percent) {
    if (!scale.cutsAbove() && !scale.cutsBelow()) return {};
    if (display.scale.kind != Scale::Kind::Linked || percent <= 0) return scale.description() + ", cut";
    return fmt::format("{}, cut at percentile {:g}", scale.description(), 100 - percent);
}

std::string beyondText(const ValueScale& scale, const std::vector<float>& values) {
    if (!scale.cutsAbove() && !scale.cutsBelow()) return {};
    std::size_t finite = 0, beyond = 0;
    double largest = 0;
    const double slack = 1e-6 * (scale.maximum() - scale.minimum());
    for (const float value : values) {
        if (!std::isfinite(value)) continue;
        ++finite;
        if (value >= scale.minimum() - slack && value <= scale.maximum() + slack) continue;
        ++beyond;
        if (std::abs(value) > std::abs(largest)) largest = value;
    }
    return fmt::format("Beyond the scale, drawn as its end: {} of {} cells ({:.2g} %), the largest {}.", beyond, finite,
                       100.0 * static_cast<double>(beyond) / static_cast<double>(std::max<std::size_t>(1, finite)),
                       valueText(largest));
}

GridView gridView(const PaintInput& in, int plane, const std::string& fuse) {
    GridView view;
    if (const Grid* grid = std::get_if<Grid>(&in.finding.data))
        view = viewOfGrid(in, *grid, plane, fuse);
    else if (const TokenScores* scores = std::get_if<TokenScores>(&in.finding.data))
        view = viewOfScores(in, *scores);
    else
        throw Error("\"" + in.finding.name + "\" is no map", {}, ErrorCode::Usage);
    if (view.area.empty())
        view.area = imageExtent(in, view.image,
                                {0, 0, static_cast<double>(view.columns), static_cast<double>(view.rows)});
    if (view.raw.empty()) view.rows = view.columns = 0;
    view.values = view.raw;
    if (view.onTokenGrid) applySinks(in.display, view.tokens, view.isSigned, view.values);
    return view;
}

const ColorMap& colorMapFor(const Display& display, bool isSigned) {
    const ColorMap& map = colorMap(display.colormap);
    return isSigned && map.kind != ColorMap::Kind::Diverging ? colorMap("coolwarm") : map;
}

void legendSelections(Figure& figure, const PaintInput& in, const StageTokens* stage, Outlined outlines,
                      const std::vector<int>& images) {
    const double size = figure.fontSize();
    const Rect cell{1, size * 0.1 + 1, size - 2, size - 2};
    const char* fate = in.display.sinks == SinkPolicy::Mask           ? "sink, left out"
                       : in.display.sinks == SinkPolicy::Redistribute ? "sink, set to 0"
                                                                      : "sink";
    std::vector<int> placed, elsewhere;
    for (const int token : in.selectedTokens) {
        const bool known = stage && token >= 0 && token < stage->size();
        const bool drawn = images.empty() || (known && std::find(images.begin(), images.end(), std::max(0, stage->tokens[token].image)) != images.end());
        const bool outlined = known && drawn && (outlines == Outlined::EveryToken || stage->tokens[token].row >= 0);
        (outlined ? placed : elsewhere).push_back(token);
    }
    if (!placed.empty())
        figure.legend({RectMark{cell, {ink::selected, 1.6, ink::none, false}, 0}}, size,
                      "selected: " + tokenNames(stage, placed));
    if (!elsewhere.empty())
        figure.notice("Selected, without a place in the picture: " + tokenNames(stage, elsewhere) + ".");
    if (in.display.sinkTokens.empty()) return;
    figure.legend({RectMark{cell, {ink::sink, 1.2, ink::none, true}, 0}}, size, fate);
    figure.notice(sinkSentence(in.display.sinks, stage, in.display.sinkTokens));
}

}  // namespace fovea::viz
