#include "picture/picture_sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "picture/heat_map.h"

namespace fovea::viz {
namespace {

constexpr double sheetGap = 12;           // units between pictures
constexpr double narrowestPicture = 150;  // of a picture's place, units
constexpr double tallestPicture = 1.1;    // of that width
constexpr double tallestBar = 420;

/// One map of the sheet, ready to draw.
struct SheetCell {
    PaintInput input;
    GridView view;
    Rect extent;
    std::string label;
};

std::vector<SheetCell> sheetCells(const PaintInput& in, int plane, const std::string& fuse) {
    std::vector<SheetCell> cells;
    for (const PictureCell& each : in.cells) {
        SheetCell cell{{*each.finding, in.tokens, *each.image, in.display, {}, in.selectedTokens, in.job}, {}, {}, each.label};
        cell.view = gridView(cell.input, plane, fuse);
        cell.extent = imageExtent(cell.input, cell.view.image, cell.view.area);
        cells.push_back(std::move(cell));
    }
    return cells;
}

int sheetColumns(const std::vector<SheetCell>& cells) {
    double width = 0, height = 0;
    for (const SheetCell& cell : cells) width += cell.extent.width / std::max(cell.extent.width, cell.extent.height);
    for (const SheetCell& cell : cells) height += cell.extent.height / std::max(cell.extent.width, cell.extent.height);
    const auto count = static_cast<double>(cells.size());
    const double columns = std::ceil(std::sqrt(count * height / std::max(0.01 * height, width)) - 0.01);
    return static_cast<int>(std::clamp(columns, 1.0, count));
}

void addSheetLabel(Figure& figure, const SheetCell& cell, const Rect& target, double room) {
    const std::string text = elideText(cell.label, room, figure.fontSize());
    const double left = std::min(target.x, target.x + target.width / 2 - std::min(room, textWidth(text, figure.fontSize())) / 2);
    figure.text("labels", {std::max(figure.left(), left), target.y - figure.fontSize() * 0.35}, text);
}

/// Draws the cells row by row; returns the lower edge.
double addSheetCells(Figure& figure, const std::vector<SheetCell>& cells, const ColorBar& bar, int columns, double width) {
    const double row = figure.fontSize() * 1.5;
    double y = figure.top();
    for (std::size_t begin = 0; begin < cells.size(); begin += static_cast<std::size_t>(columns)) {
        double bottom = y;
        const std::size_t end = std::min(cells.size(), begin + static_cast<std::size_t>(columns));
        for (std::size_t i = begin; i < end; ++i) {
            const SheetCell& cell = cells[i];
            cell.input.job.progress(static_cast<double>(i) / static_cast<double>(cells.size()), "heat");
            const double x = figure.left() + static_cast<double>(i - begin) * (width + sheetGap);
            const ImageFrame frame = fitted({x, y + row, width, tallestPicture * width}, cell.extent);
            addSheetLabel(figure, cell, frame.target, width);
            drawImage(figure, cell.input, cell.view.image, frame, 0);
            if (cell.view.rows > 0 && cell.view.columns > 0) addHeatMap(figure, cell.input, cell.view, frame, bar, cell.label);
            bottom = std::max(bottom, frame.bottom());
        }
        y = bottom + sheetGap;
    }
    return y - sheetGap;
}

}  // namespace

Picture paintSheet(const PaintInput& in, int plane, const std::string& fuse, double cut) {
    in.job.progress(0, "heat");
    const std::vector<SheetCell> cells = sheetCells(in, plane, fuse);
    std::vector<float> values, raw;
    std::vector<int> images;
    bool isSigned = false;
    for (const SheetCell& cell : cells) {
        values.insert(values.end(), cell.view.values.begin(), cell.view.values.end());
        raw.insert(raw.end(), cell.view.raw.begin(), cell.view.raw.end());
        images.push_back(cell.view.image);
        isSigned = isSigned || cell.view.isSigned;
    }
    const ValueScale scale(in.display.scale, values, isSigned);
    const bool pictured = std::any_of(cells.begin(), cells.end(), [](const SheetCell& cell) { return !cell.input.image.empty(); });
    ColorBar bar{colorMapFor(in.display, isSigned), scale, in.finding.unit, in.display.threshold};
    bar.scaleName = in.display.scale.kind == Scale::Kind::Picture ? "range of these pictures"
                                                                  : cutScaleName(scale, in.display, cut);
    bar.fades = pictured && fadesHeat(in.display, *in.cells.front().finding);
    const std::string& subtitle = cells.front().view.subtitle;
    const int columns = sheetColumns(cells);
    const double barWidth = colorBarWidth(Figure(in, subtitle), bar);
    const double needed = columns * (narrowestPicture + sheetGap) - sheetGap + barWidth + 2 * Figure::margin;
    Figure figure(in, subtitle, std::max(in.display.width, needed));
    const double width = (figure.bodyWidth() - barWidth + sheetGap) / columns - sheetGap;
    double bottom = addSheetCells(figure, cells, bar, columns, width);
    const double top = figure.top() + figure.fontSize() * 1.5;
    bottom = std::max(bottom, addColorBar(figure, bar, figure.right() - barWidth, top, std::min(bottom - top, tallestBar)));
    if (const std::string beyond = beyondText(scale, values); cut > 0 && !beyond.empty()) figure.notice(beyond);
    if (const std::string flat = flatness(raw); !flat.empty()) figure.notice(flat);
    legendSelections(figure, in, cells.front().view.stage, Outlined::GridTokens, images);
    for (const std::string& remark : in.remarks) figure.notice(remark);
    if (in.display.threshold > 0)
        figure.notice(fmt::format("Not drawn: values {} ({:.0f} % of the scale).", scale.hiddenText(in.display.threshold),
                                  100 * in.display.threshold));
    in.job.progress(1, "heat");
    return figure.finish(bottom);
}

}  // namespace fovea::viz
