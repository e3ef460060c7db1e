#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "picture/figure.h"

namespace fovea::viz {
namespace {

// Okabe and Ito 2008: distinct for every kind of colour vision; black comes last.
constexpr Color palette[] = {{0, 114, 178, 255},   {213, 94, 0, 255},   {0, 158, 115, 255},
                             {204, 121, 167, 255}, {86, 180, 233, 255}, {230, 159, 0, 255},
                             {0, 0, 0, 255}};
constexpr std::size_t colors = std::size(palette), maximumLegend = 24, maximumMarkers = 60,
                      maximumHits = 20000;

struct Extent {
    double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
    void add(double v) {
        if (!std::isfinite(v)) return;
        low = std::min(low, v);
        high = std::max(high, v);
    }
    bool empty() const { return !(low <= high); }
    /// At least a sliver wide, a little larger than the data.
    void widen(double share) {
        if (empty()) *this = {0, 1};
        if (low == high) {
            const double by = low != 0 ? std::abs(low) * 0.5 : 0.5;
            low -= by;
            high += by;
            return;
        }
        const double by = (high - low) * share;
        low -= by;
        high += by;
    }
    double share(double v) const { return (v - low) / (high - low); }
};

Style lineStyle(std::size_t index) {
    return {palette[index % colors], 1.8, ink::none, (index / colors) % 2 == 1};
}

/// Circle, square, triangle, diamond: lines stay apart in grey print.
void addMarker(std::vector<Mark>& out, Point p, std::size_t index, double r) {
    const Style style{ink::white, 0.6, palette[index % colors], false};
    switch (index % 4) {
        case 0:
            out.push_back(EllipseMark{{p.x - r, p.y - r, 2 * r, 2 * r}, style});
            return;
        case 1:
            out.push_back(RectMark{{p.x - 0.9 * r, p.y - 0.9 * r, 1.8 * r, 1.8 * r}, style, 0});
            return;
        case 2:
            out.push_back(LineMark{
                {{p.x, p.y - 1.2 * r}, {p.x + 1.1 * r, p.y + 0.8 * r}, {p.x - 1.1 * r, p.y + 0.8 * r}},
                style,
                true,
                false});
            return;
        default:
            out.push_back(LineMark{
                {{p.x, p.y - 1.25 * r}, {p.x + 1.25 * r, p.y}, {p.x, p.y + 1.25 * r}, {p.x - 1.25 * r, p.y}},
                style,
                true,
                false});
    }
}

struct Axes {
    Extent x, y;
    bool logY = false;
    double vertical(double v) const { return logY ? (v > 0 ? std::log10(v) : std::nan("")) : v; }
};

Axes axesOf(const Series& series, bool logY) {
    Axes axes;
    axes.logY = logY;
    for (const Series::Line& line : series.lines)
        for (std::size_t i = 0; i < std::min(line.x.size(), line.y.size()); ++i) {
            if (!std::isfinite(axes.vertical(line.y[i]))) continue;
            axes.x.add(line.x[i]);
            axes.y.add(axes.vertical(line.y[i]));
        }
    // A quantity that is never negative keeps its zero in sight when it comes near it.
    if (!logY && !axes.y.empty() && axes.y.low >= 0 && axes.y.low < 0.4 * axes.y.high) axes.y.low = 0;
    const bool zero = !logY && axes.y.low == 0;
    axes.x.widen(0.02);
    axes.y.widen(0.05);
    if (zero) axes.y.low = 0;
    return axes;
}

std::vector<Tick> verticalTicks(const Axes& axes) {
    if (!axes.logY) return niceTicks(axes.y.low, axes.y.high, 6);
    std::vector<Tick> ticks;
    const int from = static_cast<int>(std::ceil(axes.y.low)), to = static_cast<int>(std::floor(axes.y.high));
    const int stride = std::max(1, (to - from) / 6);
    for (int power = from; power <= to; power += stride)
        ticks.push_back({axes.y.share(power), valueText(std::pow(10.0, power))});
    if (ticks.size() >= 2) return ticks;
    ticks.clear();
    for (const double share : {0.1, 0.5, 0.9})
        ticks.push_back({share, valueText(std::pow(10.0, axes.y.low + share * (axes.y.high - axes.y.low)))});
    return ticks;
}

/// Ticks of whole numbers where all positions are whole (layers, steps, words).
std::vector<Tick> horizontalTicks(const Series& series, const Axes& axes) {
    bool whole = true;
    for (const Series::Line& line : series.lines)
        for (const double x : line.x) whole = whole && (!std::isfinite(x) || x == std::round(x));
    std::vector<Tick> ticks = niceTicks(axes.x.low, axes.x.high, 8);
    if (!whole || axes.x.high - axes.x.low > 12 || std::abs(axes.x.low) > 1e9) return ticks;
    ticks.clear();
    for (double x = std::ceil(axes.x.low); x <= axes.x.high; ++x)
        ticks.push_back({axes.x.share(x), fmt::format("{}", static_cast<int>(x))});
    return ticks;
}

void addLine(Figure& figure, const Series::Line& line, std::size_t index, const Axes& axes, const Rect& area,
             bool thin) {
    const Style style = lineStyle(index);
    LineMark run;
    run.style = style;
    if (thin) run.style.width = 1;
    std::vector<Mark> markers;
    std::size_t finite = 0;
    const std::size_t count = std::min(line.x.size(), line.y.size());
    const auto flush = [&] {
        if (run.points.size() > 1) figure.add("marks", run);
        run.points.clear();
    };
    for (std::size_t i = 0; i < count; ++i) {
        const double y = axes.vertical(line.y[i]);
        if (!std::isfinite(line.x[i]) || !std::isfinite(y)) {
            flush();
            continue;
        }
        ++finite;
        const Point p{area.x + area.width * axes.x.share(line.x[i]),
                      area.y + area.height * (1 - axes.y.share(y))};
        run.points.push_back(p);
        if (count <= maximumMarkers && !thin) addMarker(markers, p, index, 3);
        if (count <= maximumHits / 10)
            figure.hit({{p.x - 5, p.y - 5, 10, 10},
                        -1,
                        {},
                        line.y[i],
                        fmt::format("{}: {} at {}", line.name, valueText(line.y[i]), valueText(line.x[i])),
                        {}});
    }
    flush();
    if (finite == 1 && markers.empty())
        addMarker(markers, {area.x + area.width / 2, area.y + area.height / 2}, index, 3);
    for (Mark& mark : markers) figure.add("marks", std::move(mark));
}

/// The name of the vertical axis in lines that fit beside it.
struct AxisName {
    std::vector<std::string> lines;
    double size = 0;
};

/// At most two lines of `length`, smaller where they need to be; a name that is longer still loses its end, never its unit.
AxisName verticalName(const Series& series, const std::string& unit, bool logY, double length, double size) {
    const std::string& name = series.yLabel.empty() ? unit : series.yLabel;
    std::string tail = logY ? ", log scale" : "";
    const bool named = unit.empty() || name.find(unit) != std::string::npos;
    const std::string whole = name + (named ? "" : " (" + unit + ")") + tail;
    for (double tried = size; tried > 0.74 * size; tried -= 0.05 * size)
        if (auto lines = wrapText(whole, length, tried); lines.size() <= 2) return {std::move(lines), tried};
    size *= 0.75;
    tail = unit.empty() ? tail : "(" + unit + ")" + tail;
    AxisName out{{elideText(name, length, size)}, size};
    if (!tail.empty()) out.lines.push_back(elideText(tail, length, size));
    return out;
}

Picture paintChart(const PaintInput& in, const nlohmann::json& params) {
    in.job.progress(0, "chart");
    const Series& series = std::get<Series>(in.finding.data);
    const Axes axes = axesOf(series, params.value("log_y", false));
    Figure figure(in, {});
    const double size = figure.fontSize() * 0.9, name = figure.fontSize();
    const std::vector<Tick> vertical = verticalTicks(axes), horizontal = horizontalTicks(series, axes);
    double widest = 0;
    for (const Tick& tick : vertical) widest = std::max(widest, textWidth(tick.label, size));
    const double height = figure.bodyWidth() * params.value("aspect", 0.56);
    const AxisName yName = verticalName(series, in.finding.unit, axes.logY, height, name);
    const double nameStep = yName.size * 1.2;
    const double axisLeft =
        name * 1.6 + nameStep * static_cast<double>(yName.lines.size() - 1) + widest + 9;
    const Rect area{figure.left() + axisLeft, figure.top() + 4, figure.bodyWidth() - axisLeft - 8, height};
    const double bottom = area.y + area.height;
    for (const Tick& tick : vertical) {
        const double y = bottom - tick.position * area.height;
        figure.add(
            "grid",
            LineMark{
                {{area.x, y}, {area.x + area.width, y}}, {ink::hair, 0.7, ink::none, false}, false, false});
        figure.text("labels", {area.x - 7, y + size * 0.36}, tick.label, Anchor::End, size);
    }
    double lastEnd = -1e9;
    for (const Tick& tick : horizontal) {
        const double x = area.x + tick.position * area.width;
        figure.add(
            "labels",
            LineMark{{{x, bottom}, {x, bottom + 4}}, {ink::faint, 0.9, ink::none, false}, false, false});
        const double half = textWidth(tick.label, size) / 2;
        if (x - half < lastEnd + 6) continue;
        lastEnd = x + half;
        figure.text("labels", {x, bottom + 6 + size}, tick.label, Anchor::Middle, size);
    }
    if (axes.y.low < 0 && axes.y.high > 0 && !axes.logY) {
        const double y = bottom - axes.y.share(0) * area.height;
        figure.add(
            "grid",
            LineMark{
                {{area.x, y}, {area.x + area.width, y}}, {ink::line, 1, ink::none, false}, false, false});
    }
    figure.add("labels", LineMark{{{area.x, area.y}, {area.x, bottom}, {area.x + area.width, bottom}},
                                  {ink::faint, 1, ink::none, false},
                                  false,
                                  false});
    double nameY = bottom + 6 + size + name * 1.25;
    for (const std::string& line : wrapText(series.xLabel, area.width, name)) {
        figure.text("labels", {area.x + area.width / 2, nameY}, line, Anchor::Middle);
        nameY += name * 1.3;
    }
    nameY -= name * 1.3;
    double nameX = figure.left() + name * 0.85;
    for (const std::string& line : yName.lines) {
        figure.add("labels", TextMark{{nameX, area.y + area.height / 2},
                                      line,
                                      yName.size,
                                      ink::text,
                                      Anchor::Middle,
                                      false,
                                      false,
                                      -90});
        nameX += nameStep;
    }
    const bool thin = series.lines.size() > maximumLegend;
    for (std::size_t i = 0; i < series.lines.size(); ++i) {
        in.job.progress(static_cast<double>(i) / static_cast<double>(series.lines.size()), "chart");
        addLine(figure, series.lines[i], i, axes, area, thin);
    }
    const double middle = figure.fontSize() * 0.6;
    for (std::size_t i = 0; i < std::min(series.lines.size(), maximumLegend) &&
                            (series.lines.size() > 1 || !series.lines[i].name.empty());
         ++i) {
        std::vector<Mark> marks{LineMark{{{0, middle}, {26, middle}}, lineStyle(i), false, false}};
        if (!thin && series.lines[i].x.size() <= maximumMarkers) addMarker(marks, {13, middle}, i, 3);
        figure.legend(std::move(marks), 26, elideText(series.lines[i].name, figure.bodyWidth() * 0.6, size));
    }
    if (series.lines.size() > maximumLegend)
        figure.notice(fmt::format("\u2026 and {} more lines without a legend entry.",
                                  series.lines.size() - maximumLegend));
    if (series.lines.empty()) figure.notice("There are no lines to draw.");
    in.job.progress(1, "chart");
    return figure.finish(nameY + 2);
}

}  // namespace

void add_chart(PainterCatalog& catalog) {
    PainterEntry entry;
    entry.info = {"chart",
                  "Chart",
                  "Curves over a common axis, in colours that are safe for colour-blind readers",
                  {{"log_y",
                    ParamType::Bool,
                    false,
                    "logarithmic vertical axis; values that are not positive are left out",
                    0,
                    0,
                    {},
                    ""},
                   {"aspect",
                    ParamType::Number,
                    0.56,
                    "height of the plot as a share of its width",
                    0.2,
                    1.5,
                    {},
                    ""}}};
    entry.kinds = {"Series"};
    entry.priority = 10;
    entry.paint = paintChart;
    catalog.add(std::move(entry));
}

}  // namespace fovea::viz
