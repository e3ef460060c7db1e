#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "picture/grid_view.h"

namespace fovea::viz {
namespace {

constexpr int maximumCells = 512, readableLabels = 40, hitSide = 64;

struct View {
    int rows = 0, columns = 0, block = 1;
    int cellRows = 0, cellColumns = 0;
    std::vector<float> values;  // [cellRows, cellColumns]
};

View viewOf(const PairMatrix& matrix, int cellsWanted, const std::string& name) {
    View view;
    if (!matrix.source) return view;
    view.rows = std::max(0, matrix.source->rows());
    view.columns = std::max(0, matrix.source->columns());
    if (view.rows == 0 || view.columns == 0) return view;
    view.block = std::max(1, (std::max(view.rows, view.columns) + cellsWanted - 1) / cellsWanted);
    view.cellRows = (view.rows + view.block - 1) / view.block;
    view.cellColumns = (view.columns + view.block - 1) / view.block;
    view.values = view.block == 1 ? matrix.source->tile(0, view.rows, 0, view.columns).values
                                  : matrix.source->pooled(view.block).values;
    if (view.values.size() != static_cast<std::size_t>(view.cellRows) * view.cellColumns)
        throw Error(fmt::format("matrix \"{}\": expected {} x {} values, found {}", name, view.cellRows,
                                view.cellColumns, view.values.size()),
                    {}, ErrorCode::Internal);
    return view;
}

/// Runs of equal token kind, as bands along an axis: [begin, end) and the kind's name.
struct Band {
    int begin = 0, end = 0;
    std::string name;
};

std::vector<Band> bandsOf(const StageTokens* stage, int length) {
    std::vector<Band> bands;
    if (!stage) return bands;
    for (int i = 0; i < std::min(length, stage->size()); ++i) {
        const std::string name = tokenKindName(stage->tokens[i].kind);
        if (bands.empty() || bands.back().name != name) bands.push_back({i, i, name});
        bands.back().end = i + 1;
    }
    return bands;
}

std::string shortName(const StageTokens* stage, int index) {
    if (!stage || index >= stage->size()) return std::to_string(index);
    const Token& token = stage->tokens[index];
    if (!token.text.empty()) return elideText(printable(token.text), 80, 10);
    return token.row >= 0 ? fmt::format("{},{}", token.row, token.column) : std::to_string(index);
}

enum class Side { Left, Bottom };

/// Ticks of one axis: names of tokens when they fit, round indices otherwise. Returns the width that the
/// labels take.
double addAxis(Figure& figure, const Rect& area, Side side, int length, const StageTokens* stage,
               double size) {
    const double extent = side == Side::Left ? area.height : area.width, step = extent / length;
    double widest = 0;
    const auto tick = [&](double center, const std::string& label, bool turned) {
        widest = std::max(widest, textWidth(label, size));
        const double at = center * step;
        if (side == Side::Left) {
            figure.add("labels", LineMark{{{area.x - 3, area.y + at}, {area.x, area.y + at}},
                                          {ink::faint, 0.7, ink::none, false},
                                          false,
                                          false});
            figure.text("labels", {area.x - 5, area.y + at + size * 0.36}, label, Anchor::End, size);
            return;
        }
        const double x = area.x + at, y = area.y + area.height;
        figure.add("labels",
                   LineMark{{{x, y}, {x, y + 3}}, {ink::faint, 0.7, ink::none, false}, false, false});
        if (turned)
            figure.add(
                "labels",
                TextMark{{x + size * 0.36, y + 6}, label, size, ink::text, Anchor::End, false, false, -90});
        else
            figure.text("labels", {x, y + 4 + size}, label, Anchor::Middle, size);
    };
    if (stage && length <= readableLabels && step >= size) {
        for (int i = 0; i < length; ++i) tick(i + 0.5, shortName(stage, i), true);
        return widest;
    }
    const double spacing =
        side == Side::Left ? size * 2.5 : textWidth(std::to_string(length), size) + size * 2;
    int stride = 1;
    for (int decade = 1; stride * step < spacing; decade *= 10)
        for (const int factor : {1, 2, 5}) {
            stride = factor * decade;
            if (stride * step >= spacing) break;
        }
    for (int i = 0; i < length; i += stride) tick(i + 0.5, std::to_string(i), false);
    return side == Side::Left ? widest : size;
}

/// Thin bands above and to the left that say which tokens are text, image, special.
void addBands(Figure& figure, const Rect& area, const std::vector<Band>& bands, int length, Side side,
              double size) {
    if (bands.size() < 2) return;
    const double extent = side == Side::Left ? area.height : area.width;
    double free = -1e9;
    for (const Band& band : bands) {
        const double from = extent * band.begin / length, to = extent * band.end / length;
        const Style edge{Color{255, 255, 255, 150}, 0.6, ink::none, false};
        if (band.begin > 0 && side == Side::Left)
            figure.add(
                "grid",
                LineMark{
                    {{area.x, area.y + from}, {area.x + area.width, area.y + from}}, edge, false, false});
        if (band.begin > 0 && side == Side::Bottom)
            figure.add(
                "grid",
                LineMark{
                    {{area.x + from, area.y}, {area.x + from, area.y + area.height}}, edge, false, false});
        if (side == Side::Left) continue;
        figure.add("labels", LineMark{{{area.x + from + 0.7, area.y - 3}, {area.x + to - 0.7, area.y - 3}},
                                      {ink::faint, 1.6, ink::none, false},
                                      false,
                                      false});
        const double width = textWidth(band.name, size), x = area.x + (from + to) / 2;
        const double shifted = std::max(x, area.x + width / 2);
        if (shifted - width / 2 < free) continue;
        free = shifted + width / 2 + 4;
        figure.text("labels", {shifted, area.y - 7}, band.name, Anchor::Middle, size, ink::faint);
    }
}

void addHits(Figure& figure, const PaintInput& in, const PairMatrix& matrix, const View& view,
             const Rect& area, const StageTokens* rows, const StageTokens* columns) {
    const int stride = std::max(1, (std::max(view.cellRows, view.cellColumns) + hitSide - 1) / hitSide);
    for (int r = 0; r < view.cellRows; r += stride)
        for (int c = 0; c < view.cellColumns; c += stride) {
            double sum = 0;
            int count = 0;
            const int rowEnd = std::min(r + stride, view.cellRows),
                      columnEnd = std::min(c + stride, view.cellColumns);
            for (int i = r; i < rowEnd; ++i)
                for (int j = c; j < columnEnd; ++j) {
                    const float value = view.values[static_cast<std::size_t>(i) * view.cellColumns + j];
                    if (std::isnan(value)) continue;
                    sum += value;
                    ++count;
                }
            HitArea hit;
            hit.rect = {area.x + area.width * c / view.cellColumns, area.y + area.height * r / view.cellRows,
                        area.width * (columnEnd - c) / view.cellColumns,
                        area.height * (rowEnd - r) / view.cellRows};
            hit.stage = matrix.columnStage;
            hit.value = count ? sum / count : std::nan("");
            const bool exact = view.block == 1 && stride == 1;
            hit.token = exact ? c : -1;
            if (exact)
                hit.label = fmt::format("query {}, key {}: {} {}", tokenName(rows, r), tokenName(columns, c),
                                        valueText(hit.value), in.finding.unit);
            else
                hit.label = fmt::format("queries {}\u2013{}, keys {}\u2013{}: mean {} {}", r * view.block,
                                        std::min(rowEnd * view.block, view.rows) - 1, c * view.block,
                                        std::min(columnEnd * view.block, view.columns) - 1,
                                        valueText(hit.value), in.finding.unit);
            figure.hit(std::move(hit));
        }
}

Picture paintMatrix(const PaintInput& in, const nlohmann::json& params) {
    in.job.progress(0, "matrix");
    const PairMatrix& matrix = std::get<PairMatrix>(in.finding.data);
    const View view = viewOf(matrix, params.value("cells", maximumCells), in.finding.name);
    in.job.progress(0.5, "matrix");
    const bool isSigned = std::any_of(view.values.begin(), view.values.end(), [](float v) { return v < 0; });
    const ColorMap& map = colorMapFor(in.display, isSigned);
    const ValueScale scale(in.display.scale, view.values, isSigned);
    const StageTokens *rowTokens = findStage(in.tokens, matrix.rowStage),
                      *columnTokens = findStage(in.tokens, matrix.columnStage);
    Figure figure(in, view.block == 1 ? fmt::format("{} queries x {} keys", view.rows, view.columns)
                                      : fmt::format("{} queries x {} keys, each cell the mean of {} x {}",
                                                    view.rows, view.columns, view.block, view.block));
    if (view.values.empty()) {
        figure.notice("There are no values to draw.");
        return figure.finish(figure.top());
    }
    const ColorBar bar{map, scale, in.finding.unit, in.display.threshold};
    const double size = figure.fontSize() * 0.8, nameSize = figure.fontSize() * 0.9;
    const double top = size * 1.6 + 4;
    double labels = textWidth(std::to_string(view.rows), size);
    if (rowTokens && view.rows <= readableLabels)
        for (int i = 0; i < view.rows; ++i)
            labels = std::max(labels, textWidth(shortName(rowTokens, i), size));
    const double axisLeft = nameSize * 1.4 + labels + 8;
    const double width = std::max(80.0, figure.bodyWidth() - axisLeft - colorBarWidth(figure, bar));
    double areaWidth = width, areaHeight = width * view.rows / view.columns;
    if (areaHeight > width) {
        areaHeight = width;
        areaWidth = width * view.columns / view.rows;
    }
    areaWidth = std::max(areaWidth, 24.0);
    areaHeight = std::max(areaHeight, 24.0);
    const Rect area{figure.left() + axisLeft, figure.top() + top, areaWidth, areaHeight};
    auto rgba = std::make_shared<std::vector<std::uint8_t>>();
    bool missing = false;
    for (const float value : view.values) {
        const double position = scale.position(value);
        missing = missing || std::isnan(position);
        const Color c = std::isnan(position)                          ? ink::missing
                        : scale.shows(position, in.display.threshold) ? map.at(position)
                                                                      : ink::white;
        rgba->insert(rgba->end(), {c.r, c.g, c.b, 255});
    }
    figure.add("heat", RasterMark{area, view.cellColumns, view.cellRows, std::move(rgba), false, 1});
    addBands(figure, area, bandsOf(columnTokens, view.columns), view.columns, Side::Bottom, size);
    addBands(figure, area, bandsOf(rowTokens, view.rows), view.rows, Side::Left, size);
    figure.add("grid", RectMark{area, {ink::faint, 0.8, ink::none, false}, 0});
    addAxis(figure, area, Side::Left, view.rows, rowTokens, size);
    const double below = addAxis(figure, area, Side::Bottom, view.columns, columnTokens, size);
    const double nameY = area.y + area.height + 8 + below + nameSize;
    figure.text("labels", {area.x + area.width / 2, nameY}, "key (" + matrix.columnStage + ")",
                Anchor::Middle, nameSize);
    figure.add("labels", TextMark{{figure.left() + nameSize * 0.9, area.y + area.height / 2},
                                  "query (" + matrix.rowStage + ")",
                                  nameSize,
                                  ink::text,
                                  Anchor::Middle,
                                  false,
                                  false,
                                  -90});
    addHits(figure, in, matrix, view, area, rowTokens, columnTokens);
    const double barEnd = addColorBar(figure, bar, area.x + area.width, area.y, area.height);
    if (missing) {
        const double box = figure.fontSize();
        figure.legend({RectMark{{0, box * 0.1, box, box}, {ink::none, 0, ink::missing, false}, 0}}, box,
                      "no value (pruned or not finite)");
    }
    if (!in.display.sinkTokens.empty()) {
        for (const int token : in.display.sinkTokens) {
            if (token < 0 || token >= view.columns) continue;
            const double x = area.x + area.width * (token + 0.5) / view.columns, y = area.y + area.height;
            figure.add(
                "marks",
                LineMark{
                    {{x, y}, {x - 3, y + 5}, {x + 3, y + 5}}, {ink::none, 0, ink::sink, false}, true, false});
        }
        const double box = figure.fontSize();
        figure.legend({LineMark{{{box / 2, box * 0.2}, {box * 0.1, box}, {box * 0.9, box}},
                                {ink::none, 0, ink::sink, false},
                                true,
                                false}},
                      box, "sink");
        // A matrix shows what the model computed, whatever is done to the sinks in maps.
        figure.notice(sinkSentence(SinkPolicy::Keep, columnTokens, in.display.sinkTokens));
    }
    in.job.progress(1, "matrix");
    return figure.finish(std::max(nameY + 2, barEnd));
}

}  // namespace

void add_matrix(PainterCatalog& catalog) {
    PainterEntry entry;
    entry.info = {"matrix",
                  "Matrix",
                  "Queries by keys as a picture, pooled when there are many, with the kinds of tokens marked",
                  {{"cells",
                    ParamType::Integer,
                    maximumCells,
                    "cells on the longer side at most; larger matrices are averaged in blocks",
                    16,
                    2048,
                    {},
                    ""}}};
    entry.kinds = {"PairMatrix"};
    entry.priority = 10;
    entry.paint = paintMatrix;
    catalog.add(std::move(entry));
}

}  // namespace fovea::viz
