#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "picture/grid_view.h"

namespace fovea::viz {
namespace {

constexpr double thinnest = 0.5, thickest = 4;
constexpr double bow = 0.16;  // how far an edge bends, share of its length
constexpr int namedRoots = 12;

void checkTree(const Tree& tree, const std::string& name) {
    const std::size_t nodes = tree.tokens.size();
    const auto fits = [&](std::size_t size) { return size == nodes || size == 0; };
    if (tree.parent.size() != nodes || !fits(tree.weight.size()) || !fits(tree.depth.size()) ||
        !fits(tree.score.size()))
        throw Error(
            fmt::format("tree \"{}\": expected one parent, weight, depth and score for each of {} nodes",
                        name, nodes),
            {}, ErrorCode::Internal);
}

/// Where every node is drawn: image tokens at their centres, the others in a row above the picture.
struct Places {
    std::vector<Point> points;
    std::vector<int> above;  // nodes that are not on the picture
};

Places placesOf(const Tree& tree, const StageTokens* stage, const ImageFrame& frame, double rowY,
                double spacing) {
    Places out;
    out.points.resize(tree.tokens.size());
    for (std::size_t i = 0; i < tree.tokens.size(); ++i) {
        const int token = tree.tokens[i];
        if (stage && token >= 0 && token < stage->size() && !stage->tokens[token].rect.empty()) {
            const Rect& r = stage->tokens[token].rect;
            out.points[i] = frame.map(r.x + r.width / 2, r.y + r.height / 2);
        } else {
            out.above.push_back(static_cast<int>(i));
        }
    }
    const double fits = std::max(1.0, std::floor(frame.target.width / spacing));
    const double step =
        out.above.size() <= fits ? spacing : frame.target.width / static_cast<double>(out.above.size());
    for (std::size_t k = 0; k < out.above.size(); ++k)
        out.points[out.above[k]] = {frame.target.x + (static_cast<double>(k) + 0.5) * step, rowY};
    return out;
}

double edgeWidth(double weight, double strongest) {
    if (!std::isfinite(weight) || strongest <= 0) return thinnest;
    return thinnest + (thickest - thinnest) * std::clamp(weight / strongest, 0.0, 1.0);
}

/// The middle coordinate of a curve from `a` to `b`, moved until the curve stays between `low` and `high`.
double keptWithin(double a, double middle, double b, double low, double high) {
    if (middle >= std::min(a, b) && middle <= std::max(a, b)) return middle;
    const double bend = a - 2 * middle + b;
    const double furthest = bend == 0 ? middle : (a * b - middle * middle) / bend;
    if (furthest >= low && furthest <= high) return middle;
    // Where the furthest point lies at the edge: (m - e)^2 = (a - e) (b - e).
    const double edge = furthest < low ? low : high;
    const double away = std::sqrt(std::max(0.0, (a - edge) * (b - edge)));
    return furthest < low ? edge - away : edge + away;
}

/// A bowed edge that stays within `room`.
CurveMark edge(Point child, Point parent, double width, Color color, const Rect& room) {
    const double dx = parent.x - child.x, dy = parent.y - child.y;
    return {child,
            {keptWithin(child.x, child.x + dx / 2 - dy * bow, parent.x, room.x, room.x + room.width),
             keptWithin(child.y, child.y + dy / 2 + dx * bow, parent.y, room.y, room.y + room.height)},
            parent,
            {color, width, ink::none, false}};
}

void legendTree(Figure& figure, double strongest, int deepest, const std::vector<Color>& depthColors) {
    const double size = figure.fontSize(), middle = size * 0.6;
    figure.legend({EllipseMark{{0, middle - 5, 10, 10}, {Color{0, 0, 0, 255}, 1.6, ink::white, false}},
                   EllipseMark{{3, middle - 2, 4, 4}, {ink::none, 0, Color{0, 0, 0, 255}, false}}},
                  11, "root");
    if (strongest > 0) {
        std::vector<Mark> marks;
        double x = 0;
        for (const double share : {0.25, 1.0}) {
            marks.push_back(
                LineMark{{{x, middle}, {x + 18, middle}},
                         {Color{60, 60, 60, 255}, edgeWidth(share * strongest, strongest), ink::none, false},
                         false,
                         false});
            x += 23;
        }
        figure.legend(std::move(marks), x - 5,
                      fmt::format("confidence {} and {}", valueText(0.25 * strongest), valueText(strongest)));
    }
    std::vector<Mark> dots;
    const int shown = std::min(deepest + 1, 8);
    for (int d = 0; d < shown; ++d)
        dots.push_back(EllipseMark{{d * 11.0, middle - 4, 8, 8},
                                   {ink::white, 0.8,
                                    depthColors[static_cast<std::size_t>(std::lround(
                                        static_cast<double>(d) * deepest / std::max(1, shown - 1)))],
                                    false}});
    figure.legend(std::move(dots), shown * 11.0,
                  deepest > 0 ? fmt::format("depth 0 to {}", deepest) : std::string("depth 0"));
}

Picture paintTree(const PaintInput& in, const nlohmann::json& params) {
    in.job.progress(0, "tree");
    const Tree& tree = std::get<Tree>(in.finding.data);
    checkTree(tree, in.finding.name);
    const StageTokens* stage = findStage(in.tokens, tree.stage);
    const double minimum = params.value("minimum", 0.0);
    const int nodes = static_cast<int>(tree.tokens.size());
    int roots = 0, deepest = 0, hidden = 0, outside = 0;
    double strongest = 0;
    for (int i = 0; i < nodes; ++i) {
        roots += tree.parent[i] < 0 || tree.parent[i] >= nodes;
        if (!tree.depth.empty()) deepest = std::max(deepest, tree.depth[i]);
        if (!tree.weight.empty() && std::isfinite(tree.weight[i]))
            strongest = std::max<double>(strongest, tree.weight[i]);
        const int token = tree.tokens[i];
        outside += !(stage && token >= 0 && token < stage->size() && !stage->tokens[token].rect.empty());
    }
    deepest = std::clamp(deepest, 0, 4095);
    Figure figure(in,
                  fmt::format("{} nodes, {} root{}, depth {}", nodes, roots, roots == 1 ? "" : "s", deepest));
    int image = 0;
    if (stage)
        for (const Token& token : stage->tokens)
            if (token.image >= 0) {
                image = token.image;
                break;
            }
    // Nodes that are no part of the picture stand in a row above it.
    const double size = figure.fontSize(), row = outside > 0 ? size * 2.6 : 0;
    const ImageFrame frame =
        placeImage(figure, in, imageExtent(in, image), image, {0, 0, row, params.value("fade", 0.55)});
    const Places places = placesOf(tree, stage, frame, figure.top() + size * 1.9, 64);
    const double over = outside > 0 ? frame.target.y - (figure.top() + size * 1.9) : 0;
    const double half = thickest / 2;
    const Rect room{frame.target.x + half, frame.target.y - over + half, frame.target.width - thickest,
                    frame.target.height + over - thickest};
    const ColorMap& map = colorMap("viridis");
    std::vector<Color> depthColors;
    for (int d = 0; d <= deepest; ++d) depthColors.push_back(map.at(deepest ? 0.92 * d / deepest : 0));
    const auto colorOf = [&](int node) {
        return depthColors[tree.depth.empty() ? 0 : std::clamp(tree.depth[node], 0, deepest)];
    };
    for (int i = 0; i < nodes; ++i) {
        if (i % 64 == 0) in.job.progress(static_cast<double>(i) / nodes, "tree");
        const int parent = tree.parent[i];
        if (parent < 0 || parent >= nodes || parent == i) continue;
        const double weight = tree.weight.empty() ? strongest : tree.weight[i];
        if (weight < minimum) {
            ++hidden;
            continue;
        }
        Color color = colorOf(i);
        color.a = 210;
        figure.add("marks",
                   edge(places.points[i], places.points[parent], edgeWidth(weight, strongest), color, room));
    }
    const double radius = std::clamp(frame.target.width / 14 / 12, 1.8, 3.4);
    int named = 0;
    for (int i = 0; i < nodes; ++i) {
        const Point p = places.points[i];
        const bool root = tree.parent[i] < 0 || tree.parent[i] >= nodes;
        const int token = tree.tokens[i];
        const bool selected =
            std::find(in.selectedTokens.begin(), in.selectedTokens.end(), token) != in.selectedTokens.end();
        const double r = root ? radius * 1.9 : radius;
        figure.add("marks",
                   EllipseMark{{p.x - r, p.y - r, 2 * r, 2 * r},
                               {root       ? Color{0, 0, 0, 255}
                                : selected ? ink::selected
                                           : ink::white,
                                root || selected ? 1.6 : 0.7, root ? ink::white : colorOf(i), false}});
        if (root)
            figure.add("marks", EllipseMark{{p.x - r * 0.4, p.y - r * 0.4, r * 0.8, r * 0.8},
                                            {ink::none, 0, Color{0, 0, 0, 255}, false}});
        HitArea hit{{p.x - 4, p.y - 4, 8, 8},
                    token,
                    tree.stage,
                    tree.score.empty() ? std::nan("") : tree.score[i],
                    {},
                    {}};
        if (stage && token >= 0 && token < stage->size()) hit.source = stage->tokens[token].rect;
        hit.label =
            tokenName(stage, token) +
            (root ? std::string(": root")
                  : fmt::format(": parent {}, confidence {}", tokenName(stage, tree.tokens[tree.parent[i]]),
                                tree.weight.empty() ? "unknown" : valueText(tree.weight[i])));
        figure.hit(std::move(hit));
        const bool isOutside = std::find(places.above.begin(), places.above.end(), i) != places.above.end();
        if (!isOutside && (!root || ++named > namedRoots)) continue;
        if (isOutside && places.above.size() > 16) continue;
        std::string label = stage && token >= 0 && token < stage->size() && !stage->tokens[token].text.empty()
                                ? printable(stage->tokens[token].text)
                                : std::to_string(token);
        label = elideText(label, 60, size * 0.85);
        const double width = textWidth(label, size * 0.85, Face::Bold);
        const Point at{std::clamp(p.x, figure.left() + width / 2, figure.right() - width / 2),
                       std::max(p.y - r - 4, figure.top() + size)};
        if (!isOutside)
            figure.add("labels", RectMark{{at.x - width / 2 - 2, at.y - size * 0.72, width + 4, size * 0.92},
                                          {ink::none, 0, Color{255, 255, 255, 215}, false},
                                          2});
        figure.add("labels", TextMark{at, label, size * 0.85, ink::text, Anchor::Middle, true, false, 0});
    }
    if (nodes == 0)
        figure.notice("There are no nodes to draw.");
    else
        legendTree(figure, strongest, deepest, depthColors);
    if (hidden > 0)
        figure.notice(
            fmt::format("Not drawn: {} edges with a confidence below {}.", hidden, valueText(minimum)));
    if (named > namedRoots) figure.notice(fmt::format("{} of {} roots are named.", namedRoots, roots));
    if (!in.selectedTokens.empty()) figure.notice("Selected: " + tokenNames(stage, in.selectedTokens) + ".");
    in.job.progress(1, "tree");
    return figure.finish(frame.bottom());
}

}  // namespace

void add_tree(PainterCatalog& catalog) {
    PainterEntry entry;
    entry.info = {
        "tree",
        "Tree over the image",
        "Nodes at their tokens, edges to the parent as wide as they are certain, coloured by depth",
        {{"minimum", ParamType::Number, 0.0, "edges with a smaller confidence are not drawn", 0, 1e9, {}, ""},
         {"fade", ParamType::Number, 0.55, "how far the picture is mixed with white", 0, 1, {}, ""}}};
    entry.kinds = {"Tree"};
    entry.priority = 10;
    entry.paint = paintTree;
    catalog.add(std::move(entry));
}

}  // namespace fovea::viz
