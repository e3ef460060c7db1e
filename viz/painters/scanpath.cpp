#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "picture/image_frame.h"

namespace fovea::viz {
namespace {

constexpr Color disc{224, 122, 58, 205}, rim{160, 72, 22, 255}, path{70, 70, 70, 235}, first{0, 130, 90, 255};
constexpr double largestShare = 0.05;  // of the picture's width, radius of the largest circle
constexpr double smallestRadius = 3;
constexpr std::size_t maximumNumbers = 300;

/// What the areas of the circles stand for: durations or, where all last equally long, the share of the map.
enum class Measure { Duration, Mass, None };

double valueOf(const Path::Fixation& fixation, Measure measure) {
    return measure == Measure::Duration ? fixation.duration : measure == Measure::Mass ? fixation.mass : 0;
}

bool varies(const std::vector<Path::Fixation>& fixations, Measure measure) {
    double low = std::numeric_limits<double>::infinity(), high = 0;
    for (const Path::Fixation& f : fixations) {
        const double value = valueOf(f, measure);
        if (!std::isfinite(value)) continue;
        low = std::min(low, value);
        high = std::max(high, value);
    }
    return low >= 0 && high - low > 1e-3 * high;
}

/// Radii whose squares are proportional to what is measured: the eye compares areas.
class Radii {
public:
    Radii(const std::vector<Path::Fixation>& fixations, const Rect& picture) {
        for (const Measure candidate : {Measure::Mass, Measure::Duration})
            if (varies(fixations, candidate)) m_measure = candidate;
        for (const Path::Fixation& f : fixations)
            if (std::isfinite(valueOf(f, m_measure))) m_most = std::max(m_most, valueOf(f, m_measure));
        m_largest = std::max(8.0, largestShare * std::min(picture.width, 2.5 * picture.height));
    }
    Measure measure() const { return m_measure; }
    double most() const { return m_most; }
    double of(const Path::Fixation& fixation) const { return of(valueOf(fixation, m_measure)); }
    double of(double value) const {
        if (m_measure == Measure::None) return m_largest * 0.6;
        if (!(value > 0)) return smallestRadius;
        return std::max(smallestRadius, m_largest * std::sqrt(std::min(1.0, value / m_most)));
    }

private:
    Measure m_measure = Measure::None;
    double m_most = 0, m_largest = 0;
};

void legendSizes(Figure& figure, const Radii& radii) {
    if (radii.measure() == Measure::None) {
        figure.notice("All fixations last equally long: all circles have one size.");
        return;
    }
    const bool lasts = radii.measure() == Measure::Duration;
    const double power = std::pow(10.0, std::floor(std::log10(radii.most())));
    double top = power;
    for (const double factor : {1.0, 2.0, 2.5, 5.0})
        if (factor * power <= radii.most()) top = factor * power;
    std::vector<Mark> marks;
    double x = 0;
    const double height = std::max(2 * radii.of(top) + 1, figure.fontSize() * 1.2);
    const auto named = [&](double value) {
        return lasts ? valueText(value) + " ms" : valueText(100 * value) + " %";
    };
    for (const double value : {top / 4, top}) {
        const double r = radii.of(value);
        marks.push_back(EllipseMark{{x, height / 2 - r, 2 * r, 2 * r}, {rim, 1, disc, false}});
        x += 2 * r + 6;
    }
    figure.legend(std::move(marks), x,
                  fmt::format("{} {} and {} (area grows with it)", lasts ? "duration" : "share of the map",
                              named(top / 4), named(top)),
                  height);
}

/// A fixation's circle and its number, which stands beside the circle where it does not fit inside.
struct Spot {
    Point center;
    double radius = 0;
    bool inside = false;
    Point label;   ///< middle of the number's baseline
    Rect backing;  ///< behind a number outside
    Rect reach() const {
        Rect all{center.x - radius, center.y - radius, 2 * radius, 2 * radius};
        if (inside) return all;
        const double right = std::max(all.x + all.width, backing.x + backing.width);
        const double bottom = std::max(all.y + all.height, backing.y + backing.height);
        all.y = std::min(all.y, backing.y);
        return {all.x, all.y, right - all.x, bottom - all.y};
    }
};

Spot spotOf(const Path::Fixation& fixation, std::size_t index, const ImageFrame& frame, const Radii& radii,
            double size) {
    Spot spot;
    spot.center = frame.map(fixation.x, fixation.y);
    spot.radius = radii.of(fixation);
    const double width = textWidth(std::to_string(index + 1), size, Face::Bold);
    spot.inside = width < 1.7 * spot.radius && size < 1.8 * spot.radius;
    spot.label = spot.inside ? Point{spot.center.x, spot.center.y + size * 0.36}
                             : Point{spot.center.x + spot.radius + 2 + width / 2,
                                     spot.center.y - spot.radius * 0.4};
    spot.backing = {spot.label.x - width / 2 - 1.5, spot.label.y - size * 0.82, width + 3, size * 1.02};
    return spot;
}

/// Where the picture has to lie so that circles and numbers near its edge stay on the page. A smaller picture
/// has smaller circles, so one look at the largest one is enough.
Placement placeFor(const Figure& figure, const Rect& extent, const std::vector<Path::Fixation>& fixations,
                   double size) {
    Placement place;
    const ImageFrame frame = imageFrame(figure, extent, place);
    const Radii radii(fixations, frame.target);
    for (std::size_t i = 0; i < fixations.size(); ++i) {
        const Rect reach = spotOf(fixations[i], i, frame, radii, size).reach();
        place.left = std::max(place.left, figure.left() - reach.x);
        place.right = std::max(place.right, reach.x + reach.width - figure.right());
        place.top = std::max(place.top, figure.top() - reach.y);
    }
    return place;
}

Picture paintScanpath(const PaintInput& in, const nlohmann::json& params) {
    in.job.progress(0, "scanpath");
    const Path& scan = std::get<Path>(in.finding.data);
    std::vector<Path::Fixation> fixations;
    for (const Path::Fixation& f : scan.fixations)
        if (std::isfinite(f.x) && std::isfinite(f.y)) fixations.push_back(f);
    const std::size_t skipped = scan.fixations.size() - fixations.size();
    const int until = params.value("until", 0);
    const std::size_t shown =
        until > 0 ? std::min(fixations.size(), static_cast<std::size_t>(until)) : fixations.size();
    double total = 0;
    for (std::size_t i = 0; i < shown; ++i)
        total += std::isfinite(fixations[i].duration) ? fixations[i].duration : 0;
    const std::string of = shown < fixations.size() ? fmt::format(" of {}", fixations.size()) : "";
    Figure figure(in, fmt::format("{}{} fixation{}{}", shown, of, fixations.size() == 1 ? "" : "s",
                                  total > 0 ? fmt::format(", {} ms in all", valueText(total))
                                            : std::string()));
    Rect reach{0, 0, 1, 1};
    for (const Path::Fixation& f : fixations) {
        reach.width = std::max(reach.width, f.x + 1);
        reach.height = std::max(reach.height, f.y + 1);
    }
    // The layout is that of all fixations, so that nothing moves from step to step.
    const double size = figure.fontSize() * 0.9;
    const Rect extent = imageExtent(in, scan.image, reach);
    Placement place = placeFor(figure, extent, fixations, size);
    place.fade = params.value("fade", 0.25);
    const ImageFrame frame = placeImage(figure, in, extent, scan.image, place);
    const Radii radii(fixations, frame.target);
    double bottom = frame.bottom();
    std::vector<Spot> spots;
    for (std::size_t i = 0; i < fixations.size(); ++i) {
        spots.push_back(spotOf(fixations[i], i, frame, radii, size));
        bottom = std::max(bottom, spots.back().reach().y + spots.back().reach().height);
    }
    LineMark line;
    line.style = {path, 1.5, ink::none, false};
    for (std::size_t i = 0; i < shown; ++i) line.points.push_back(spots[i].center);
    addHaloLine(figure, "marks", line, Color{255, 255, 255, 200}, 1.6);
    for (std::size_t i = 0; i < shown; ++i) {
        const Point p = spots[i].center;
        const double r = spots[i].radius;
        figure.add("marks", EllipseMark{{p.x - r, p.y - r, 2 * r, 2 * r},
                                        {i == 0 ? first : rim, i == 0 ? 2.2 : 1.0, disc, false}});
        HitArea hit{{p.x - r, p.y - r, 2 * r, 2 * r}, -1, {}, fixations[i].mass, {}, {}};
        hit.label = fmt::format("fixation {}: {:.0f}, {:.0f} px, onset {} ms, {} ms, {} of the map", i + 1,
                                fixations[i].x, fixations[i].y, valueText(fixations[i].onset),
                                valueText(fixations[i].duration), valueText(fixations[i].mass));
        figure.hit(std::move(hit));
    }
    for (std::size_t i = 0; i < std::min(shown, maximumNumbers); ++i) {
        if (!spots[i].inside)
            figure.add("labels",
                       RectMark{spots[i].backing, {ink::none, 0, Color{255, 255, 255, 200}, false}, 2});
        figure.add("labels", TextMark{spots[i].label, std::to_string(i + 1), size, ink::text, Anchor::Middle,
                                      true, false, 0});
    }
    if (fixations.empty())
        figure.notice("There are no fixations to draw.");
    else {
        const double box = figure.fontSize();
        figure.legend({EllipseMark{{1, box * 0.1, box, box}, {first, 2.2, disc, false}}}, box + 2,
                      "first fixation");
        legendSizes(figure, radii);
    }
    const auto outside = std::count_if(fixations.begin(), fixations.end(),
                                       [&](const Path::Fixation& f) { return !frame.holds(f.x, f.y); });
    if (outside > 0)
        figure.notice(fmt::format("{} fixations outside the picture are drawn at its edge.", outside));
    if (skipped > 0) figure.notice(fmt::format("{} fixations without a position are not drawn.", skipped));
    if (shown > maximumNumbers)
        figure.notice(fmt::format("Only the first {} fixations are numbered.", maximumNumbers));
    in.job.progress(1, "scanpath");
    return figure.finish(bottom);
}

}  // namespace

void add_scanpath(PainterCatalog& catalog) {
    PainterEntry entry;
    entry.info = {
        "scanpath",
        "Scanpath",
        "Numbered fixations over the picture, circle area linear in duration or, where all last equally long, in the share of the map",
        {{"fade", ParamType::Number, 0.25, "how far the picture is mixed with white", 0, 1, {}, ""},
         {"until",
          ParamType::Integer,
          0,
          "draws only so many fixations from the first on; all (0) draws every one",
          0,
          1e6,
          {"all"},
          ""}}};
    entry.kinds = {"Path"};
    entry.priority = 10;
    entry.paint = paintScanpath;
    catalog.add(std::move(entry));
}

}  // namespace fovea::viz
