#include <fmt/format.h>

#include <algorithm>

#include "picture/heat_map.h"
#include "picture/picture_sheet.h"

namespace fovea::viz {
namespace {

/// Why there is no heat: nothing to draw, or values of words, which have no place in a picture.
std::string withoutPlace(const Finding& finding) {
    const auto* scores = std::get_if<TokenScores>(&finding.data);
    if (!scores || scores->values.empty()) return "There are no values to draw.";
    return fmt::format("The {} values are of tokens of {}, which have no place in the picture; \"Tokens\" draws them.",
                       scores->values.size(), scores->stage);
}

/// Percent of the cells that a linked scale may leave beyond its end: of maps of single pixels only.
double cutOf(const Finding& finding, const nlohmann::json& params) {
    const Grid* grid = std::get_if<Grid>(&finding.data);
    return grid && grid->pixels ? params.value("cut", 1.0) : 0;
}

Picture paintHeatOverlay(const PaintInput& in, const nlohmann::json& params) {
    if (in.cells.size() > 1)
        return paintSheet(in, params.value("plane", -1), params.value("fuse", std::string("mean")),
                          cutOf(*in.cells.front().finding, params));
    in.job.progress(0, "heat");
    const GridView view = gridView(in, params.value("plane", -1), params.value("fuse", std::string("mean")));
    const ColorMap& map = colorMapFor(in.display, view.isSigned);
    const ValueScale scale(in.display.scale, view.values, view.isSigned);
    Figure figure(in, view.subtitle);
    ColorBar bar{map, scale, in.finding.unit, in.display.threshold};
    bar.fades = !in.image.empty() && fadesHeat(in.display, in.finding);
    bar.scaleName = cutScaleName(scale, in.display, cutOf(in.finding, params));
    const double barWidth = colorBarWidth(figure, bar);
    const ImageFrame frame =
        placeImage(figure, in, imageExtent(in, view.image, view.area), view.image, {0, barWidth, 0, 0});
    double bottom = frame.bottom();
    if (view.rows > 0 && view.columns > 0) {
        addHeatMap(figure, in, view, frame, bar);
        bottom = std::max(bottom, addColorBar(figure, bar, frame.target.x + frame.target.width,
                                              frame.target.y, frame.target.height));
        if (const std::string beyond = beyondText(scale, view.values); !beyond.empty() && cutOf(in.finding, params) > 0)
            figure.notice(beyond);
        if (const std::string flat = flatness(view.raw); !flat.empty()) figure.notice(flat);
    } else {
        figure.notice(withoutPlace(in.finding));
    }
    legendSelections(figure, in, view.stage, Outlined::GridTokens, {view.image});
    for (const std::string& remark : in.remarks) figure.notice(remark);
    if (in.display.threshold > 0)
        figure.notice(fmt::format("Not drawn: values {} ({:.0f} % of the scale).",
                                  scale.hiddenText(in.display.threshold), 100 * in.display.threshold));
    in.job.progress(1, "heat");
    return figure.finish(bottom);
}

}  // namespace

void add_heat_overlay(PainterCatalog& catalog) {
    PainterEntry entry;
    entry.info = {"heat_overlay",
                  "Heat over the image",
                  "A map over the picture with token grid, colour bar and unit",
                  {{"plane",
                    ParamType::Integer,
                    -1,
                    "which plane (head, layer) to draw; all (-1) fuses all of them",
                    -1,
                    1e6,
                    {"all"},
                    ""},
                   {"fuse",
                    ParamType::Choice,
                    "mean",
                    "how planes are fused when none is chosen",
                    0,
                    0,
                    {"mean", "max", "min"},
                    ""},
                   {"cut",
                    ParamType::Number,
                    1.0,
                    "maps of single pixels (gradients): percent of the pixels that a linked scale may leave beyond its end "
                    "where a few outshine the rest more than twice; none (0): it spans every value",
                    0,
                    50,
                    {"none"},
                    ""}}};
    entry.kinds = {"Grid", "TokenScores"};
    entry.priority = 10;
    entry.sheets = true;
    entry.paint = paintHeatOverlay;
    entry.reduced = [](const Finding& finding, const nlohmann::json& params) {
        const Finding drawn = params.value("plane", -1) >= 0 ? finding : fusedFinding(finding, params.value("fuse", "mean"));
        return cutFinding(drawn, cutOf(finding, params));
    };
    catalog.add(std::move(entry));
}

}  // namespace fovea::viz
