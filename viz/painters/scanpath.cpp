#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "picture/image_frame.h"

namespace fovea::viz {
namespace {

constexpr Color disc{224, 122, 58, 205}, rim{160, 72, 22, 255}, path{70, 70, 70, 235}, first{0, 130, 90, 255};
constexpr double largestShare = 0.05;  // of the picture's width, radius of the longest fixation
constexpr double smallestRadius = 3;
constexpr std::size_t maximumNumbers = 300;

/// Radii whose squares are proportional to the duration: the eye compares areas.
class Radii {
public:
    Radii(const std::vector<Path::Fixation>& fixations, const Rect& picture) {
        for (const Path::Fixation& f : fixations)
            if (std::isfinite(f.duration)) m_longest = std::max(m_longest, f.duration);
        m_largest = std::max(8.0, largestShare * std::min(picture.width, 2.5 * picture.height));
    }
    bool known() const { return m_longest > 0; }
    double longest() const { return m_longest; }
    double of(double duration) const {
        if (!known()) return m_largest * 0.6;
        if (!(duration > 0)) return smallestRadius;
        return std::max(smallestRadius, m_largest * std::sqrt(std::min(1.0, duration / m_longest)));
    }

private:
    double m_longest = 0, m_largest = 0;
};

void legendDurations(Figure& figure, const Radii& radii) {
    if (!radii.known()) {
        figure.notice("The fixations have no durations: all circles have one size.");
        return;
    }
    const double power = std::pow(10.0, std::floor(std::log10(radii.longest())));
    double top = power;
    for (const double factor : {1.0, 2.0, 2.5, 5.0})
        if (factor * power <= radii.longest()) top = factor * power;
    std::vector<Mark> marks;
    double x = 0;
    const double height = std::max(2 * radii.of(top) + 1, figure.fontSize() * 1.2);
    std::string text = "duration";
    for (const double duration : {top / 4, top}) {
        const double r = radii.of(duration);
        marks.push_back(EllipseMark{{x, height / 2 - r, 2 * r, 2 * r}, {rim, 1, disc, false}});
        x += 2 * r + 6;
        text += fmt::format("{} {} ms", duration == top ? " and" : "", valueText(duration));
    }
    figure.legend(std::move(marks), x, text + " (area grows with duration)", height);
}

Picture paint(const PaintInput& in, const nlohmann::json& params) {
    in.job.progress(0, "scanpath");
    const Path& scan = std::get<Path>(in.finding.data);
    std::vector<Path::Fixation> fixations;
    for (const Path::Fixation& f : scan.fixations)
        if (std::isfinite(f.x) && std::isfinite(f.y)) fixations.push_back(f);
    const std::size_t skipped = scan.fixations.size() - fixations.size();
    double total = 0;
    for (const Path::Fixation& f : fixations) total += std::isfinite(f.duration) ? f.duration : 0;
    Figure figure(in,
                  fmt::format("{} fixation{}{}", fixations.size(), fixations.size() == 1 ? "" : "s",
                              total > 0 ? fmt::format(", {} ms in all", valueText(total)) : std::string()));
    Rect reach{0, 0, 1, 1};
    for (const Path::Fixation& f : fixations) {
        reach.width = std::max(reach.width, f.x + 1);
        reach.height = std::max(reach.height, f.y + 1);
    }
    const ImageFrame frame =
        placeImage(figure, in, imageExtent(in, scan.image, reach), scan.image, 0, params.value("fade", 0.25));
    const Radii radii(fixations, frame.target);
    LineMark line;
    line.style = {path, 1.5, ink::none, false};
    for (const Path::Fixation& f : fixations) line.points.push_back(frame.map(f.x, f.y));
    addHaloLine(figure, "marks", line, Color{255, 255, 255, 200}, 1.6);
    for (std::size_t i = 0; i < fixations.size(); ++i) {
        const Point p = frame.map(fixations[i].x, fixations[i].y);
        const double r = radii.of(fixations[i].duration);
        figure.add("marks", EllipseMark{{p.x - r, p.y - r, 2 * r, 2 * r},
                                        {i == 0 ? first : rim, i == 0 ? 2.2 : 1.0, disc, false}});
        HitArea hit{{p.x - r, p.y - r, 2 * r, 2 * r}, -1, {}, fixations[i].mass, {}, {}};
        hit.label = fmt::format("fixation {}: {:.0f}, {:.0f} px, onset {} ms, {} ms, {} of the map", i + 1,
                                fixations[i].x, fixations[i].y, valueText(fixations[i].onset),
                                valueText(fixations[i].duration), valueText(fixations[i].mass));
        figure.hit(std::move(hit));
    }
    const double size = figure.fontSize() * 0.9;
    for (std::size_t i = 0; i < std::min(fixations.size(), maximumNumbers); ++i) {
        const Point p = frame.map(fixations[i].x, fixations[i].y);
        const std::string number = std::to_string(i + 1);
        const double r = radii.of(fixations[i].duration);
        const bool inside = textWidth(number, size, Face::Bold) < 1.7 * r && size < 1.8 * r;
        const Point at = inside ? Point{p.x, p.y + size * 0.36}
                                : Point{p.x + r + 2 + textWidth(number, size, Face::Bold) / 2, p.y - r * 0.4};
        if (!inside) {
            const double w = textWidth(number, size, Face::Bold);
            figure.add("labels", RectMark{{at.x - w / 2 - 1.5, at.y - size * 0.82, w + 3, size * 1.02},
                                          {ink::none, 0, Color{255, 255, 255, 200}, false},
                                          2});
        }
        figure.add("labels", TextMark{at, number, size, ink::text, Anchor::Middle, true, false, 0});
    }
    if (fixations.empty())
        figure.notice("There are no fixations to draw.");
    else {
        const double box = figure.fontSize();
        figure.legend({EllipseMark{{1, box * 0.1, box, box}, {first, 2.2, disc, false}}}, box + 2,
                      "first fixation");
        legendDurations(figure, radii);
    }
    const auto outside = std::count_if(fixations.begin(), fixations.end(),
                                       [&](const Path::Fixation& f) { return !frame.holds(f.x, f.y); });
    if (outside > 0)
        figure.notice(fmt::format("{} fixations outside the picture are drawn at its edge.", outside));
    if (skipped > 0) figure.notice(fmt::format("{} fixations without a position are not drawn.", skipped));
    if (fixations.size() > maximumNumbers)
        figure.notice(fmt::format("Only the first {} fixations are numbered.", maximumNumbers));
    in.job.progress(1, "scanpath");
    return figure.finish(frame.bottom());
}

}  // namespace

void add_scanpath(PainterCatalog& catalog) {
    PainterEntry entry;
    entry.info = {
        "scanpath",
        "Scanpath",
        "Numbered fixations over the picture, circle area linear in duration",
        {{"fade", ParamType::Number, 0.25, "how far the picture is mixed with white", 0, 1, {}, ""}}};
    entry.kinds = {"Path"};
    entry.priority = 10;
    entry.paint = paint;
    catalog.add(std::move(entry));
}

}  // namespace fovea::viz
