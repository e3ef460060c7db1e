#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include "picture/grid_view.h"

namespace fovea::viz {
namespace {

constexpr double smallestThumb = 14;  // units
constexpr double widestThumb = 150;
constexpr int maximumPlanes = 4096;

/// Planes in rows and columns: by the names' common part and last number ("L3 H5"), or in reading order.
struct Arrangement {
    int rows = 0, columns = 0;
    std::vector<std::string> rowLabels, columnLabels;  // empty: every thumbnail has its own label
    std::vector<int> place;                            // position of each plane, row-major
};

bool isLetter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// "L3 H5" is "L3" and "H5", "layer 3 head 5" is "layer 3" and "head 5"; a name without such an end is whole.
std::pair<std::string, std::string> split(const std::string& name) {
    std::size_t digits = name.size();
    while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9') --digits;
    if (digits == name.size() || digits == 0) return {name, ""};
    std::size_t word = digits;
    if (word > 1 && name[word - 1] == ' ' && isLetter(name[word - 2])) --word;
    while (word > 0 && isLetter(name[word - 1])) --word;
    std::size_t end = word;
    while (end > 0 && std::string_view(" ./,").find(name[end - 1]) != std::string_view::npos) --end;
    return {name.substr(0, end), name.substr(word)};
}

Arrangement arrange(const std::vector<std::string>& planes, int wantedColumns) {
    Arrangement out;
    const int count = static_cast<int>(planes.size());
    std::vector<std::string> rows, columns;
    std::map<std::pair<std::string, std::string>, int> cells;
    const auto indexIn = [](std::vector<std::string>& list, const std::string& word) {
        const auto found = std::find(list.begin(), list.end(), word);
        if (found != list.end()) return static_cast<int>(found - list.begin());
        list.push_back(word);
        return static_cast<int>(list.size()) - 1;
    };
    if (wantedColumns == 0 && count > 1) {
        std::vector<std::pair<int, int>> places;
        bool table = true;
        for (const std::string& name : planes) {
            const auto parts = split(name);
            table = table && !parts.first.empty() && !parts.second.empty() && cells.emplace(parts, 0).second;
            places.emplace_back(indexIn(rows, parts.first), indexIn(columns, parts.second));
        }
        if (table && rows.size() * columns.size() <= 2 * planes.size() && rows.size() > 1 &&
            columns.size() > 1) {
            out.rows = static_cast<int>(rows.size());
            out.columns = static_cast<int>(columns.size());
            out.rowLabels = rows;
            out.columnLabels = columns;
            for (const auto& [row, column] : places) out.place.push_back(row * out.columns + column);
            return out;
        }
    }
    out.columns = wantedColumns > 0 ? std::min(wantedColumns, std::max(1, count))
                                    : static_cast<int>(std::ceil(std::sqrt(count * 1.3)));
    out.columns = std::max(1, out.columns);
    out.rows = (count + out.columns - 1) / out.columns;
    if (wantedColumns == 0 && out.rows > 0) out.columns = (count + out.rows - 1) / out.rows;  // no more holes than needed
    for (int i = 0; i < count; ++i) out.place.push_back(i);
    return out;
}

struct Layout {
    Arrangement arrangement;
    std::vector<std::string> captions;  // over the maps that are not in a table of layers and heads
    std::string shared;                 // what the captions leave out
    double thumbWidth = 0, thumbHeight = 0, gap = 0, labelLeft = 0, labelTop = 0, captionHeight = 0,
           labelSize = 0;
    double width() const { return labelLeft + arrangement.columns * (thumbWidth + gap); }
    double height() const { return labelTop + arrangement.rows * (thumbHeight + captionHeight + gap); }
};

/// Captions that fit: when the names are too long, what all of them begin and end with is left out and said
/// once.
void shorten(Layout& layout, const std::vector<std::string>& planes) {
    layout.captions = planes;
    double widest = 0;
    for (const std::string& name : planes) widest = std::max(widest, textWidth(name, layout.labelSize));
    if (widest <= layout.thumbWidth || planes.size() < 2) return;
    std::size_t begin = planes[0].size(), end = planes[0].size();
    for (const std::string& name : planes) {
        const std::size_t limit = std::min(name.size(), planes[0].size());
        std::size_t same = 0;
        while (same < limit && name[same] == planes[0][same]) ++same;
        begin = std::min(begin, same);
        same = 0;
        while (same < limit && name[name.size() - 1 - same] == planes[0][planes[0].size() - 1 - same]) ++same;
        end = std::min(end, same);
    }
    // Whole words and whole characters only: numbers, letters and parts of a UTF-8 sequence stay together.
    const auto inWord = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || (c & 0x80) != 0; };
    while (begin > 0 && inWord(planes[0][begin - 1])) --begin;
    while (end > 0 && inWord(planes[0][planes[0].size() - end])) --end;
    for (const std::string& name : planes)
        if (name.size() <= begin + end) return;
    for (std::string& caption : layout.captions)
        caption = caption.substr(begin, caption.size() - begin - end);
    layout.shared = planes[0].substr(0, begin) + "[\u2026]" + planes[0].substr(planes[0].size() - end);
}

Layout layoutFor(const Figure& figure, const Grid& grid, int columns, double reserved) {
    Layout out;
    out.arrangement = arrange(grid.planes, columns);
    const Arrangement& a = out.arrangement;
    out.labelSize = figure.fontSize() * 0.8;
    out.gap = 3;
    double widest = 0;
    for (const std::string& label : a.rowLabels) widest = std::max(widest, textWidth(label, out.labelSize));
    if (!a.rowLabels.empty()) {
        out.labelLeft = std::min(widest, 140.0) + 8;
        out.labelTop = out.labelSize * 1.4;
    } else {
        out.captionHeight = out.labelSize * 1.25;
        out.gap = 6;
    }
    out.thumbWidth = std::clamp((figure.bodyWidth() - reserved - out.labelLeft) / a.columns - out.gap,
                                smallestThumb, widestThumb);
    if (out.captionHeight > 0) shorten(out, grid.planes);
    const double aspect = grid.area.empty() ? static_cast<double>(grid.rows) / std::max(1, grid.columns)
                                            : grid.area.height / grid.area.width;
    out.thumbHeight = out.thumbWidth * std::clamp(aspect, 0.1, 4.0);
    return out;
}

void addLabels(Figure& figure, const Layout& layout, double x, double y) {
    const Arrangement& a = layout.arrangement;
    const auto stride = [&](double step, double needed) {
        return std::max(1, static_cast<int>(std::ceil(needed / step)));
    };
    std::vector<std::string> columns = a.columnLabels;
    const auto widestOf = [&] {
        double widest = 0;
        for (const std::string& label : columns)
            widest = std::max(widest, textWidth(label, layout.labelSize) + 4);
        return widest;
    };
    const std::size_t word = columns.empty() ? 0 : columns[0].find_first_of("0123456789");
    const bool oneWord =
        word > 0 && std::all_of(columns.begin(), columns.end(), [&](const std::string& label) {
            return label.compare(0, word, columns[0], 0, word) == 0;
        });
    if (oneWord && widestOf() > layout.thumbWidth + layout.gap) {
        // The word that all columns share is said once, in the corner, where columns are narrow.
        figure.text("labels", {x + layout.labelLeft - 6, y + layout.labelSize}, columns[0].substr(0, word),
                    Anchor::End, layout.labelSize, ink::faint);
        for (std::string& label : columns) label.erase(0, word);
    }
    const double widest = widestOf();
    const int everyColumn = stride(layout.thumbWidth + layout.gap, widest),
              everyRow = stride(layout.thumbHeight + layout.gap, layout.labelSize);
    for (std::size_t c = 0; c < columns.size(); c += everyColumn)
        figure.text("labels",
                    {x + layout.labelLeft + c * (layout.thumbWidth + layout.gap) + layout.thumbWidth / 2,
                     y + layout.labelSize},
                    columns[c], Anchor::Middle, layout.labelSize, ink::faint);
    for (std::size_t r = 0; r < a.rowLabels.size(); r += everyRow)
        figure.text("labels",
                    {x + layout.labelLeft - 6, y + layout.labelTop + r * (layout.thumbHeight + layout.gap) +
                                                   layout.thumbHeight / 2 + layout.labelSize * 0.36},
                    elideText(a.rowLabels[r], layout.labelLeft - 8, layout.labelSize), Anchor::End,
                    layout.labelSize, ink::faint);
}

/// The raster of one plane; cells without a value are grey.
std::shared_ptr<std::vector<std::uint8_t>> thumbnail(const std::vector<float>& values,
                                                     const ValueScale& scale, const ColorMap& map,
                                                     double threshold, bool& missing) {
    auto rgba = std::make_shared<std::vector<std::uint8_t>>();
    rgba->reserve(values.size() * 4);
    for (const float value : values) {
        const double position = scale.position(value);
        missing = missing || std::isnan(position);
        const Color c = std::isnan(position)               ? ink::missing
                        : scale.shows(position, threshold) ? map.at(position)
                                                           : ink::white;
        rgba->insert(rgba->end(), {c.r, c.g, c.b, 255});
    }
    return rgba;
}

Picture paintHeadGrid(const PaintInput& in, const nlohmann::json& params) {
    const Grid& grid = std::get<Grid>(in.finding.data);
    checkGrid(grid, in.finding.name);
    if (grid.planeCount() > maximumPlanes)
        throw Error(fmt::format("\"{}\" has {} planes; at most {} fit a picture", in.finding.name,
                                grid.planeCount(), maximumPlanes),
                    "choose fewer layers or heads", ErrorCode::Usage);
    const bool own = params.value("per_plane", false);
    const GridTokens tokens = gridTokens(in.tokens, grid);
    const StageTokens* stage = grid.pixels ? nullptr : tokens.stage;
    const std::size_t cells = static_cast<std::size_t>(grid.rows) * grid.columns;
    std::vector<std::vector<float>> planes;
    std::vector<float> all;
    for (int p = 0; p < grid.planeCount(); ++p) {
        planes.emplace_back(grid.values.begin() + p * cells, grid.values.begin() + (p + 1) * cells);
        applySinks(in.display, tokens.cells, grid.signedValues, planes.back());
        all.insert(all.end(), planes.back().begin(), planes.back().end());
    }
    Scale perPlane = in.display.scale;
    if (own) perPlane.kind = Scale::Kind::Picture;
    const ValueScale shared(in.display.scale, all, grid.signedValues);
    const ValueScale share({Scale::Kind::Fixed, grid.signedValues ? -1.0 : 0.0, 1, 0, 0}, {},
                           grid.signedValues);
    const ColorMap& map = colorMapFor(in.display, grid.signedValues);
    const std::string subtitle = fmt::format("{} map{} of {} x {} cells", grid.planeCount(),
                                             grid.planeCount() == 1 ? "" : "s", grid.rows, grid.columns);
    const Figure probe(in, subtitle);
    const std::string beyond = own ? "" : beyondText(shared, all);
    ColorBar bar{map, own ? share : shared, in.finding.unit, in.display.threshold,
                 own ? "share of each map's own range" : ""};
    if (!own) bar.scaleName = cutScaleName(shared, in.display, params.value("cut", 1.0));
    const double reserved = colorBarWidth(probe, bar);
    const Layout layout = layoutFor(probe, grid, params.value("columns", 0), reserved);
    Figure figure(in, subtitle, std::max(in.display.width, layout.width() + reserved + 2 * Figure::margin));
    const double x = figure.left(), y = figure.top();
    bool missing = false;
    addLabels(figure, layout, x, y);
    for (int p = 0; p < grid.planeCount() && cells > 0; ++p) {
        in.job.progress(static_cast<double>(p) / grid.planeCount(), "maps");
        const int row = layout.arrangement.place[p] / layout.arrangement.columns,
                  column = layout.arrangement.place[p] % layout.arrangement.columns;
        const Rect thumb{x + layout.labelLeft + column * (layout.thumbWidth + layout.gap),
                         y + layout.labelTop + layout.captionHeight +
                             row * (layout.thumbHeight + layout.captionHeight + layout.gap),
                         layout.thumbWidth, layout.thumbHeight};
        const ValueScale scale = own ? ValueScale(perPlane, planes[p], grid.signedValues) : shared;
        figure.add("heat",
                   RasterMark{thumb, grid.columns, grid.rows,
                              thumbnail(planes[p], scale, map, in.display.threshold, missing), false, 1});
        figure.add("grid", RectMark{thumb, {ink::line, 0.4, ink::none, false}, 0});
        if (layout.captionHeight > 0)
            figure.text("labels", {thumb.x, thumb.y - layout.labelSize * 0.25},
                        elideText(layout.captions[p], layout.thumbWidth, layout.labelSize), Anchor::Start,
                        layout.labelSize, ink::faint);
        std::size_t best = cells;
        for (std::size_t i = 0; i < cells; ++i)
            if (!std::isnan(planes[p][i]) && (best == cells || planes[p][i] > planes[p][best])) best = i;
        const std::string name = grid.planes[p].empty() ? fmt::format("map {}", p) : grid.planes[p];
        HitArea hit{thumb, -1, stage ? stage->stage : "", std::nan(""), name + ": no values", {}};
        if (best < cells) {
            const int r = static_cast<int>(best) / grid.columns, c = static_cast<int>(best) % grid.columns;
            hit.value = planes[p][best];
            hit.token = best < tokens.cells.size() ? tokens.cells[best] : -1;
            hit.label = fmt::format("{}: maximum {} {} at row {} col {}", name, valueText(hit.value),
                                    in.finding.unit, r, c);
        }
        figure.hit(std::move(hit));
    }
    double bottom = y + layout.height();
    if (cells > 0 && grid.planeCount() > 0)
        bottom = std::max(bottom,
                          addColorBar(figure, bar, x + layout.width() - layout.gap,
                                      y + layout.labelTop + layout.captionHeight,
                                      layout.height() - layout.labelTop - layout.captionHeight - layout.gap));
    else
        figure.notice("There are no values to draw.");
    if (!beyond.empty()) figure.notice(beyond);
    if (!layout.shared.empty()) figure.notice("Full names: " + layout.shared + ".");
    if (missing) {
        const double size = figure.fontSize();
        figure.legend({RectMark{{0, size * 0.1, size, size}, {ink::none, 0, ink::missing, false}, 0}}, size,
                      "no value (pruned or not finite)");
    }
    if (!in.display.sinkTokens.empty())
        figure.notice(sinkSentence(in.display.sinks, stage, in.display.sinkTokens));
    return figure.finish(bottom);
}

}  // namespace

void add_head_grid(PainterCatalog& catalog) {
    PainterEntry entry;
    entry.info = {"head_grid",
                  "Layers and heads",
                  "One small map per layer and head, all on one scale",
                  {{"columns",
                    ParamType::Integer,
                    0,
                    "maps per row; auto (0) puts layers in rows and heads in columns where the names allow it",
                    0,
                    256,
                    {"auto"},
                    ""},
                   {"per_plane",
                    ParamType::Bool,
                    false,
                    "give every map its own range: shows weak heads, hides differences of strength",
                    0,
                    0,
                    {},
                    ""},
                   {"cut",
                    ParamType::Number,
                    1.0,
                    "percent of all cells that a linked scale may leave beyond its end where a few outshine the rest more "
                    "than twice; none (0): it spans every value",
                    0,
                    50,
                    {"none"},
                    ""}}};
    entry.kinds = {"Grid"};
    entry.paint = paintHeadGrid;
    entry.prefers = [](const Finding& finding) {
        const Grid* grid = std::get_if<Grid>(&finding.data);
        return grid && grid->planeCount() > 1 && grid->planeCount() <= maximumPlanes;
    };
    entry.reduced = [](const Finding& finding, const nlohmann::json& params) {
        return params.value("per_plane", false) ? finding : cutFinding(finding, params.value("cut", 1.0));
    };
    catalog.add(std::move(entry));
}

}  // namespace fovea::viz
