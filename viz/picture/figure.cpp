#include "picture/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace fovea::viz {
namespace {

constexpr std::array<std::string_view, 9> layerOrder = {"image",  "heat",  "grid", "marks", "labels",
                                                        "legend", "title", "note", "recipe"};
constexpr double lineSpacing = 1.35;
constexpr std::size_t maximumTitleLines = 4;

}  // namespace

Figure::Figure(const PaintInput& input, const std::string& subtitle, double width) : m_input(input) {
    m_picture.width = std::max(width > 0 ? width : input.display.width, 160.0);
    m_picture.title = withoutByteNames(input.finding.title.empty() ? input.finding.name : input.finding.title);
    m_picture.recipe = input.recipe;
    for (const std::string_view name : layerOrder) m_picture.layers.push_back({std::string(name), {}});
    double y = margin;
    std::vector<std::string> lines = wrapEvenly(m_picture.title, bodyWidth(), fontSize() * 1.25, Face::Bold);
    if (lines.size() > maximumTitleLines) {
        lines.resize(maximumTitleLines);
        lines.back() = elideText(lines.back() + "\u2026", bodyWidth() - fontSize() * 1.25, fontSize() * 1.25,
                                 Face::Bold) +
                       "\u2026";
    }
    if (!m_picture.title.empty())
        for (const std::string& line : lines) {
            y += fontSize() * 1.25;
            add("title",
                TextMark{{left(), y}, line, fontSize() * 1.25, ink::text, Anchor::Start, true, false, 0});
            y += fontSize() * 0.35;
        }
    if (!subtitle.empty())
        y = paragraph("title", wrapEvenly(subtitle, bodyWidth(), fontSize()), y, fontSize(), ink::faint);
    m_top = y + fontSize() * 0.6;
}

void Figure::add(std::string_view layer, Mark mark) {
    for (Layer& known : m_picture.layers)
        if (known.name == layer) {
            known.marks.push_back(std::move(mark));
            return;
        }
    throw Error("a painter draws on an unknown layer", {}, ErrorCode::Internal);
}

void Figure::text(std::string_view layer, Point position, std::string text, Anchor anchor, double size,
                  Color color) {
    add(layer,
        TextMark{position, std::move(text), size > 0 ? size : fontSize(), color, anchor, false, false, 0});
}

double Figure::paragraph(std::string_view layer, const std::string& text, double y, double size, Color color) {
    return paragraph(layer, wrapText(text, bodyWidth(), size), y, size, color);
}

double Figure::paragraph(std::string_view layer, const std::vector<std::string>& lines, double y, double size,
                         Color color) {
    for (const std::string& line : lines) {
        y += size * lineSpacing;
        text(layer, {left(), y - 0.2 * size}, line, Anchor::Start, size, color);
    }
    return y;
}

void Figure::legend(std::vector<Mark> marks, double width, std::string text, double height) {
    m_legend.push_back({std::move(marks), width, height, std::move(text)});
}

void Figure::legendOnce(std::vector<Mark> marks, double width, std::string text) {
    const bool known = std::any_of(m_legend.begin(), m_legend.end(), [&](const LegendEntry& entry) { return entry.text == text; });
    if (!known) legend(std::move(marks), width, std::move(text));
}

void Figure::notice(std::string text) {
    m_notices.push_back(std::move(text));
}

double Figure::legendRows(double y) {
    const double size = fontSize() * 0.9, lineHeight = fontSize() * 1.6, gap = fontSize() * 0.5;
    for (std::size_t begin = 0; begin < m_legend.size();) {
        // As many entries as fit the width make a row; one that is wider than the row has it to itself, with
        // wrapped text.
        double x = left(), height = lineHeight;
        std::size_t end = begin;
        for (; end < m_legend.size(); ++end) {
            const LegendEntry& entry = m_legend[end];
            const double width = entry.width + gap + textWidth(entry.text, size);
            if (end > begin && x + width > right()) break;
            x += width + 2.5 * gap;
            height = std::max(height, entry.height + 0.4 * fontSize());
        }
        x = left();
        double below = 0;
        for (; begin < end; ++begin) {
            const LegendEntry& entry = m_legend[begin];
            const double top = y + (height - std::max(entry.height, fontSize() * 1.2)) / 2;
            for (const Mark& mark : entry.marks) add("legend", moved(mark, x, top));
            x += entry.width + gap;
            const std::vector<std::string> lines = wrapText(entry.text, std::max(60.0, right() - x), size);
            for (std::size_t i = 0; i < lines.size(); ++i)
                text("legend",
                     {x, y + height / 2 + size * 0.36 + static_cast<double>(i) * size * lineSpacing},
                     lines[i], Anchor::Start, size);
            below = std::max(below, static_cast<double>(lines.size() - 1) * size * lineSpacing);
            x += textWidth(entry.text, size) + 2.5 * gap;
        }
        y += height + below;
    }
    return y;
}

Picture Figure::finish(double bottom) {
    double y = bottom + fontSize() * 0.7;
    y = legendRows(y);
    for (const std::string& notice : m_notices) y = paragraph("note", notice, y, fontSize() * 0.9, ink::text);
    if (!m_input.finding.note.empty())
        y = paragraph("note", m_input.finding.note, y, fontSize() * 0.9, ink::faint);
    if (m_input.display.recipe && !m_input.recipe.empty())
        y = paragraph("recipe", m_input.recipe, y + fontSize() * 0.3, fontSize() * 0.75, ink::faint);
    m_picture.height = std::ceil(y + margin * 0.7);
    std::erase_if(m_picture.layers, [](const Layer& layer) { return layer.marks.empty(); });
    return std::move(m_picture);
}

Mark moved(Mark mark, double dx, double dy) {
    const auto shift = [&](Point& p) {
        p.x += dx;
        p.y += dy;
    };
    std::visit(
        [&](auto& m) {
            using T = std::decay_t<decltype(m)>;
            if constexpr (std::is_same_v<T, RasterMark>) {
                m.target.x += dx;
                m.target.y += dy;
            } else if constexpr (std::is_same_v<T, RectMark> || std::is_same_v<T, EllipseMark>) {
                m.rect.x += dx;
                m.rect.y += dy;
            } else if constexpr (std::is_same_v<T, LineMark>) {
                for (Point& p : m.points) shift(p);
            } else if constexpr (std::is_same_v<T, CurveMark>) {
                shift(m.a);
                shift(m.control);
                shift(m.b);
            } else {
                shift(m.position);
            }
        },
        mark);
    return mark;
}

Color readableOn(Color c) {
    const auto linear = [](std::uint8_t v) { return std::pow(v / 255.0, 2.2); };
    const double luminance = 0.2126 * linear(c.r) + 0.7152 * linear(c.g) + 0.0722 * linear(c.b);
    return luminance > 0.18 ? Color{0, 0, 0, 255} : Color{255, 255, 255, 255};
}

void addHaloLine(Figure& figure, std::string_view layer, LineMark line, Color halo, double extra) {
    LineMark under = line;
    under.style.stroke = halo;
    under.style.width += extra;
    under.style.dashed = false;
    under.arrow = false;
    figure.add(layer, std::move(under));
    figure.add(layer, std::move(line));
}

void addMissingCell(Figure& figure, std::string_view layer, const Rect& cell) {
    figure.add(layer, RectMark{cell, {ink::none, 0, ink::missing, false}, 0});
    figure.add(layer, LineMark{{{cell.x, cell.y + cell.height}, {cell.x + cell.width, cell.y}},
                               {ink::hatch, std::clamp(cell.width / 20, 0.4, 1.0), ink::none, false},
                               false,
                               false});
}

void legendMissing(Figure& figure) {
    const double size = figure.fontSize();
    const Rect cell{0, size * 0.1, size, size};
    figure.legendOnce({RectMark{cell, {ink::none, 0, ink::missing, false}, 0},
                   LineMark{{{cell.x, cell.y + size}, {cell.x + size, cell.y}},
                            {ink::hatch, 0.8, ink::none, false},
                            false,
                            false}},
                  size, "no value (pruned or not finite)");
}

void addCellOutline(Figure& figure, const Rect& cell, Color color, bool dashed) {
    const double width = std::clamp(cell.width / 10, 1.0, 2.0);
    figure.add("marks", RectMark{cell, {ink::white, width + 1.5, ink::none, false}, 0});
    figure.add("marks", RectMark{cell, {color, width, ink::none, dashed}, 0});
}

}  // namespace fovea::viz
