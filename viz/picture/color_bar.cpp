#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "picture/figure.h"

namespace fovea::viz {
namespace {

constexpr double gap = 16, barWidth = 13, tickLength = 4, minimumHeight = 110, longestUnit = 200,
                 fullHeat = 0.5;
constexpr std::size_t maximumUnitLines = 4;

double tickSize(const Figure& figure) {
    return figure.fontSize() * 0.85;
}

int tickCount(const Figure& figure, double height) {
    return std::clamp(static_cast<int>(height / (figure.fontSize() * 3.2)), 2, 7);
}

/// Whether a tick stands at the end of the bar and names its value to the digits that labels have.
bool namesEnd(const Tick& tick, double end, double value) {
    char* after = nullptr;
    const double named = std::strtod(tick.label.c_str(), &after);
    return std::abs(tick.position - end) < 1e-6 && after != tick.label.c_str() &&
           std::abs(named - value) <= 1e-3 * std::abs(value);
}

/// The ends of the range, and round numbers between them that their labels leave room for.
std::vector<Tick> barTicks(const Figure& figure, const ColorBar& bar, double height) {
    std::vector<Tick> ticks = bar.scale.ticks(tickCount(figure, height));
    const double room = tickSize(figure) * 1.6 / height;
    for (const double end : {0.0, 1.0}) {
        const double value = bar.scale.valueAt(end);
        const bool named = std::any_of(ticks.begin(), ticks.end(),
                                       [&](const Tick& tick) { return namesEnd(tick, end, value); });
        if (named) continue;
        std::erase_if(ticks, [&](const Tick& tick) { return std::abs(tick.position - end) < room; });
        ticks.push_back({end, valueText(value)});
    }
    return ticks;
}

double labelWidth(const Figure& figure, const ColorBar& bar) {
    double widest = 0;
    for (const double height : {minimumHeight, 3 * minimumHeight, 6 * minimumHeight})
        for (const Tick& tick : barTicks(figure, bar, height))
            widest = std::max(widest, textWidth(tick.label, tickSize(figure)));
    return widest;
}

/// "probability (linked scale)" in as many turned lines as the height asks for; a line begins with the scale where one is
/// not enough.
std::vector<std::string> unitLines(const Figure& figure, const ColorBar& bar, double height) {
    const std::string unit =
        elideText(bar.unit.empty() ? std::string("value") : bar.unit, longestUnit, figure.fontSize() * 0.9);
    const std::string scale = "(" + (bar.scaleName.empty() ? bar.scale.description() : bar.scaleName) + ")";
    const double size = figure.fontSize() * 0.9;
    std::vector<std::string> lines = wrapText(unit + " " + scale, height, size);
    if (lines.size() < 2) return lines;
    lines = wrapText(unit, height, size);
    for (std::string& line : wrapText(scale, height, size)) lines.push_back(std::move(line));
    return lines;
}

}  // namespace

double heatShare(const ValueScale& scale, double position) {
    return std::clamp(scale.strength(position) / fullHeat, 0.0, 1.0);
}

double colorBarWidth(const Figure& figure, const ColorBar& bar) {
    // Turned lines are counted for the shortest bar, so that the answer does not depend on the height chosen
    // later.
    const double lines = static_cast<double>(
        std::min<std::size_t>(unitLines(figure, bar, minimumHeight).size(), maximumUnitLines));
    return gap + barWidth + tickLength + 3 + labelWidth(figure, bar) + lines * figure.fontSize() * 1.25 + 4;
}

double addColorBar(Figure& figure, const ColorBar& bar, double x, double y, double height) {
    height = std::max(height, minimumHeight);
    const double cap = barWidth * 0.7;
    const Rect whole{x + gap, y + (bar.scale.cutsAbove() ? cap : 0), barWidth,
                     height - (bar.scale.cutsAbove() ? cap : 0) - (bar.scale.cutsBelow() ? cap : 0)};
    auto rgba = std::make_shared<std::vector<std::uint8_t>>();
    for (int i = 255; i >= 0; --i) {
        const Color c = bar.map.colors[i];
        const bool drawn = bar.scale.shows(i / 255.0, bar.threshold);
        const double share = !drawn ? 0 : bar.fades ? heatShare(bar.scale, i / 255.0) : 1;
        rgba->insert(rgba->end(), {c.r, c.g, c.b, static_cast<std::uint8_t>(std::lround(255 * share))});
    }
    figure.add("legend", RasterMark{whole, 1, 256, std::move(rgba), false, 1});
    const Style outline{ink::faint, 0.7, ink::none, false};
    const double right = whole.x + whole.width, bottom = whole.y + whole.height,
                 middle = whole.x + whole.width / 2;
    if (bar.scale.cutsAbove())
        figure.add("legend", LineMark{{{whole.x, whole.y}, {middle, whole.y - cap}, {right, whole.y}},
                                      {ink::faint, 0.7, bar.map.colors.back(), false},
                                      true,
                                      false});
    if (bar.scale.cutsBelow())
        figure.add("legend",
                   LineMark{{{whole.x, bottom}, {middle, bottom + cap}, {right, bottom}},
                            {ink::faint, 0.7,
                             bar.scale.shows(0, bar.threshold) ? bar.map.colors.front() : ink::white, false},
                            true,
                            false});
    figure.add("legend", RectMark{whole, outline, 0});
    double labels = 0;
    for (const Tick& tick : barTicks(figure, bar, whole.height)) {
        const double at = bottom - tick.position * whole.height;
        figure.add(
            "legend",
            LineMark{
                {{right, at}, {right + tickLength, at}}, {ink::faint, 0.8, ink::none, false}, false, false});
        figure.text("legend", {right + tickLength + 3, at + tickSize(figure) * 0.36}, tick.label,
                    Anchor::Start, tickSize(figure));
        labels = std::max(labels, textWidth(tick.label, tickSize(figure)));
    }
    double lineX = right + tickLength + 3 + labels + figure.fontSize() * 1.3;
    for (const std::string& line : unitLines(figure, bar, height)) {
        figure.add("legend", TextMark{{lineX, y + height / 2},
                                      line,
                                      figure.fontSize() * 0.9,
                                      ink::text,
                                      Anchor::Middle,
                                      false,
                                      false,
                                      -90});
        lineX += figure.fontSize() * 1.2;
    }
    return y + height;
}

}  // namespace fovea::viz
