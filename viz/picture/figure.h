#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fovea/viz/colormap.h"
#include "fovea/viz/painter.h"
#include "fovea/viz/picture.h"
#include "fovea/viz/value_scale.h"
#include "picture/text_metrics.h"

namespace fovea::viz {

/// Colours that all painters share.
namespace ink {
constexpr Color text{26, 26, 26, 255}, faint{95, 95, 95, 255}, line{150, 150, 150, 255},
    hair{215, 215, 215, 255};
constexpr Color missing{190, 190, 190, 255}, hatch{95, 95, 95, 255};
constexpr Color sink{230, 0, 126, 255}, selected{0, 158, 225, 255}, white{255, 255, 255, 255},
    none{0, 0, 0, 0};
}  // namespace ink

/// The picture of a painter while it is laid out, from top to bottom: title, subtitle, the painter's body,
/// legend, notices, the finding's caveat, recipe. Text is wrapped to the width and never cut.
class Figure {
public:
    /// Draws the title and opens the body; `width` 0 means the width asked for in the display settings.
    Figure(const PaintInput& input, const std::string& subtitle, double width = 0);

    double fontSize() const { return m_input.display.fontSize; }
    double left() const { return margin; }
    double right() const { return m_picture.width - margin; }
    double bodyWidth() const { return right() - left(); }
    /// Where the body may start.
    double top() const { return m_top; }

    /// Adds a mark to a layer, which is made at its first use; layers are drawn in a fixed order: image,
    /// heat, grid, marks, labels, legend, title, note, recipe.
    void add(std::string_view layer, Mark mark);
    void text(std::string_view layer, Point position, std::string text, Anchor anchor = Anchor::Start,
              double size = 0, Color color = ink::text);
    void hit(HitArea area) { m_picture.hits.push_back(std::move(area)); }
    void image(ImageArea area) { m_picture.images.push_back(area); }

    /// A legend entry: marks in a box of width x height (0: a line of text, 1.2 font sizes) with the origin
    /// at its top left, then text.
    void legend(std::vector<Mark> marks, double width, std::string text, double height = 0);
    /// The same unless an entry has that text: pictures side by side explain themselves once.
    void legendOnce(std::vector<Mark> marks, double width, std::string text);
    /// A sentence under the legend that names what the picture leaves out or changes.
    void notice(std::string text);

    /// Ends the body at `bottom` and adds everything below it.
    Picture finish(double bottom);

    static constexpr double margin = 14;

private:
    double paragraph(std::string_view layer, const std::string& text, double y, double size, Color color);
    double paragraph(std::string_view layer, const std::vector<std::string>& lines, double y, double size,
                     Color color);
    double legendRows(double y);

    struct LegendEntry {
        std::vector<Mark> marks;
        double width = 0, height = 0;
        std::string text;
    };

    const PaintInput& m_input;
    Picture m_picture;
    double m_top = 0;
    std::vector<LegendEntry> m_legend;
    std::vector<std::string> m_notices;
};

/// The mark moved by (dx, dy).
Mark moved(Mark mark, double dx, double dy);

/// Black or white, whichever reads better on the colour.
Color readableOn(Color background);

/// Lines in two colours under each other, to be seen on any background.
void addHaloLine(Figure& figure, std::string_view layer, LineMark line, Color halo, double extra = 2);

/// A grey cell with a diagonal, for tokens without a value; `legendMissing` is its legend entry.
void addMissingCell(Figure& figure, std::string_view layer, const Rect& cell);
void legendMissing(Figure& figure);

/// An outline around a cell that stands out on any background.
void addCellOutline(Figure& figure, const Rect& cell, Color color, bool dashed);

/// What a colour bar shows.
struct ColorBar {
    const ColorMap& map;
    const ValueScale& scale;
    std::string unit;
    double threshold = 0;        ///< values below this share of the range are not drawn
    std::string scaleName = {};  ///< instead of the scale's own description
    bool fades = false;          ///< little heat is drawn transparent (heatShare)
};

/// How opaque heat at a position of the scale is, as a share of the opacity asked for: 0 at no heat, 1 from the middle of
/// the scale on, so that a photograph shows where there is little heat.
double heatShare(const ValueScale& scale, double position);

/// Width that addColorBar() takes, gap included.
double colorBarWidth(const Figure& figure, const ColorBar& bar);

/// Draws a vertical colour bar with ticks and unit, its left gap at x; taller than `height` when that would
/// be too short to read. Returns the y where it ends.
double addColorBar(Figure& figure, const ColorBar& bar, double x, double y, double height);

}  // namespace fovea::viz
