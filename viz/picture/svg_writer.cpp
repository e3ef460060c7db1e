#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/viz/picture_file.h"
#include "picture/metadata.h"

namespace fovea::viz {
namespace {

/// Up to three decimals without trailing zeros: short, and the same everywhere.
std::string number(double value) {
    if (!std::isfinite(value)) return "0";
    std::string text = fmt::format("{:.3f}", value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text == "-0" ? "0" : text;
}

std::string hex(Color c) {
    return fmt::format("#{:02x}{:02x}{:02x}", c.r, c.g, c.b);
}

std::string attribute(const char* name, double value) {
    return fmt::format(" {}=\"{}\"", name, number(value));
}

std::string paint(const char* name, Color c) {
    if (c.a == 0) return fmt::format(" {}=\"none\"", name);
    std::string text = fmt::format(" {}=\"{}\"", name, hex(c));
    if (c.a != 255) text += fmt::format(" {}-opacity=\"{}\"", name, number(c.a / 255.0));
    return text;
}

std::string styled(const Style& style) {
    std::string text = paint("fill", style.fill);
    if (style.stroke.a == 0 || style.width <= 0) return text.append(" stroke=\"none\"");
    text += paint("stroke", style.stroke) + attribute("stroke-width", style.width);
    if (style.dashed)
        text += fmt::format(" stroke-dasharray=\"{} {}\"", number(4 * style.width), number(3 * style.width));
    return text;
}

std::string position(const Rect& r) {
    return attribute("x", r.x) + attribute("y", r.y) + attribute("width", r.width) +
           attribute("height", r.height);
}

std::string base64(const std::string& bytes) {
    static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto byte = [&](std::size_t k) {
            return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u;
        };
        const unsigned group = byte(0) << 16 | byte(1) << 8 | byte(2);
        out += digits[group >> 18];
        out += digits[group >> 12 & 63];
        out += i + 1 < bytes.size() ? digits[group >> 6 & 63] : '=';
        out += i + 2 < bytes.size() ? digits[group & 63] : '=';
    }
    return out;
}

/// Cells repeated as blocks of at least two pixels a unit: many viewers interpolate small rasters whatever
/// the file says.
std::vector<std::uint8_t> enlarged(const RasterMark& mark, int& width, int& height) {
    constexpr double pixelsPerUnit = 2;
    constexpr int maximumSide = 4096;
    const auto factor = [](int cells, double size) {
        return std::clamp(static_cast<int>(std::ceil(pixelsPerUnit * size / cells)), 1,
                          std::max(1, maximumSide / cells));
    };
    const int fx = factor(mark.width, mark.target.width), fy = factor(mark.height, mark.target.height);
    width = mark.width * fx;
    height = mark.height * fy;
    std::vector<std::uint8_t> out(static_cast<std::size_t>(width) * height * 4);
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
            std::copy_n(mark.rgba->data() + 4 * (static_cast<std::size_t>(y / fy) * mark.width + x / fx), 4,
                        out.data() + 4 * (static_cast<std::size_t>(y) * width + x));
    return out;
}

class Writer {
public:
    explicit Writer(std::string& out) : m_out(out) {}

    void operator()(const RasterMark& mark) {
        if (mark.width <= 0 || mark.height <= 0 || !mark.rgba || mark.target.empty()) return;
        if (mark.rgba->size() < static_cast<std::size_t>(mark.width) * mark.height * 4) return;
        int width = mark.width, height = mark.height;
        std::vector<std::uint8_t> cells;
        if (!mark.smooth) cells = enlarged(mark, width, height);
        const std::string png = encodePng(mark.smooth ? mark.rgba->data() : cells.data(), width, height);
        m_out.append("<image").append(position(mark.target)).append(" preserveAspectRatio=\"none\"");
        if (mark.opacity < 1) m_out += attribute("opacity", std::max(0.0, mark.opacity));
        if (!mark.smooth) m_out += " image-rendering=\"optimizeSpeed\"";
        m_out.append(" xlink:href=\"data:image/png;base64,").append(base64(png)).append("\"/>\n");
    }
    void operator()(const RectMark& mark) {
        m_out.append("<rect").append(position(mark.rect));
        if (mark.radius > 0) m_out += attribute("rx", mark.radius);
        m_out.append(styled(mark.style)).append("/>\n");
    }
    void operator()(const EllipseMark& mark) {
        const Rect& r = mark.rect;
        m_out += fmt::format("<ellipse{}{}{}{}{}/>\n", attribute("cx", r.x + r.width / 2),
                             attribute("cy", r.y + r.height / 2), attribute("rx", r.width / 2),
                             attribute("ry", r.height / 2), styled(mark.style));
    }
    void operator()(const LineMark& mark) {
        if (mark.points.size() < 2) return;
        m_out += mark.closed ? "<polygon points=\"" : "<polyline points=\"";
        for (std::size_t i = 0; i < mark.points.size(); ++i)
            m_out += fmt::format("{}{},{}", i ? " " : "", number(mark.points[i].x), number(mark.points[i].y));
        Style style = mark.style;
        if (!mark.closed) style.fill.a = 0;
        m_out += fmt::format("\"{} stroke-linejoin=\"round\"/>\n", styled(style));
        if (mark.arrow && !mark.closed)
            arrow(mark.points[mark.points.size() - 2], mark.points.back(), mark.style);
    }
    void operator()(const CurveMark& mark) {
        Style style = mark.style;
        style.fill.a = 0;
        m_out += fmt::format("<path d=\"M{} {}Q{} {} {} {}\"{}/>\n", number(mark.a.x), number(mark.a.y),
                             number(mark.control.x), number(mark.control.y), number(mark.b.x),
                             number(mark.b.y), styled(style));
    }
    void operator()(const TextMark& mark) {
        if (mark.text.empty() || mark.size <= 0) return;
        m_out +=
            fmt::format("<text{}{}{}{}", attribute("x", mark.position.x), attribute("y", mark.position.y),
                        attribute("font-size", mark.size), paint("fill", mark.color));
        if (mark.anchor != Anchor::Start)
            m_out += fmt::format(" text-anchor=\"{}\"", mark.anchor == Anchor::Middle ? "middle" : "end");
        if (mark.bold) m_out += " font-weight=\"bold\"";
        if (mark.monospace) m_out += " font-family=\"'DejaVu Sans Mono', monospace\"";
        if (mark.rotation != 0)
            m_out += fmt::format(" transform=\"rotate({} {} {})\"", number(mark.rotation),
                                 number(mark.position.x), number(mark.position.y));
        m_out += fmt::format(" xml:space=\"preserve\">{}</text>\n", xmlEscaped(mark.text));
    }

private:
    void arrow(Point from, Point to, const Style& style) {
        const double dx = to.x - from.x, dy = to.y - from.y, length = std::hypot(dx, dy);
        if (length == 0) return;
        const double size = 3.5 * std::max(style.width, 2.0), ax = dx / length * size,
                     ay = dy / length * size;
        LineMark head;
        head.points = {to,
                       {to.x - ax - ay * 0.45, to.y - ay + ax * 0.45},
                       {to.x - ax + ay * 0.45, to.y - ay - ax * 0.45}};
        head.closed = true;
        head.style = {Color{0, 0, 0, 0}, 0, style.stroke, false};
        (*this)(head);
    }

    std::string& m_out;
};

}  // namespace

std::string svgText(const Picture& picture, Metadata metadata) {
    const std::string width = number(picture.width), height = number(picture.height);
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    out += fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" "
        "version=\"1.1\" width=\"{0}\" "
        "height=\"{1}\" viewBox=\"0 0 {0} {1}\" font-family=\"'DejaVu Sans', Verdana, sans-serif\">\n",
        width, height);
    if (metadata == Metadata::Embed) {
        if (!picture.title.empty()) out += fmt::format("<title>{}</title>\n", xmlEscaped(picture.title));
        if (!picture.recipe.empty()) out += fmt::format("<desc>{}</desc>\n", xmlEscaped(picture.recipe));
        if (!picture.document.empty())
            out += fmt::format("<metadata>{}</metadata>\n", documentElement(picture));
    }
    Writer writer(out);
    if (picture.background.a)
        writer(RectMark{
            {0, 0, picture.width, picture.height}, {Color{0, 0, 0, 0}, 0, picture.background, false}, 0});
    for (const Layer& layer : picture.layers) {
        if (layer.marks.empty()) continue;
        out += fmt::format("<g id=\"{}\">\n", xmlEscaped(layer.name));
        for (const Mark& mark : layer.marks) std::visit(writer, mark);
        out += "</g>\n";
    }
    return out.append("</svg>\n");
}

}  // namespace fovea::viz
