#include "fovea/viz/colormap.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "fovea/error.h"
#include "fovea/suggestion.h"
#include "picture/colormap_anchors.h"

namespace fovea::viz {
namespace {

Color unpacked(std::uint32_t word) {
    return {static_cast<std::uint8_t>(word >> 16), static_cast<std::uint8_t>(word >> 8),
            static_cast<std::uint8_t>(word), 255};
}

std::uint8_t between(std::uint8_t a, std::uint8_t b, double share) {
    return static_cast<std::uint8_t>(std::lround(a + (b - a) * share));
}

std::array<Color, 256> interpolated(std::span<const std::uint32_t> anchors) {
    std::array<Color, 256> colors;
    std::size_t segment = 0;
    for (int i = 0; i < 256; ++i) {
        while (segment + 2 < anchors.size() && i > static_cast<int>(anchors[segment + 1] >> 24)) ++segment;
        const int from = static_cast<int>(anchors[segment] >> 24),
                  to = static_cast<int>(anchors[segment + 1] >> 24);
        const Color a = unpacked(anchors[segment]), b = unpacked(anchors[segment + 1]);
        const double share = static_cast<double>(i - from) / (to - from);
        colors[i] = {between(a.r, b.r, share), between(a.g, b.g, share), between(a.b, b.b, share), 255};
    }
    return colors;
}

std::vector<ColorMap> makeMaps() {
    using enum ColorMap::Kind;
    const char* toward = "white to one hue, for text and print";
    return {
        {"inferno", Sequential, true, true, "black, purple, orange, light yellow",
         interpolated(anchors::inferno)},
        {"viridis", Sequential, true, true, "blue, green, yellow; matplotlib's default",
         interpolated(anchors::viridis)},
        {"magma", Sequential, true, true, "black, purple, pink, cream", interpolated(anchors::magma)},
        {"plasma", Sequential, true, true, "blue, pink, yellow", interpolated(anchors::plasma)},
        {"cividis", Sequential, true, true, "blue to yellow, made for colour-blind readers",
         interpolated(anchors::cividis)},
        {"gray", Sequential, true, true, "black to white", interpolated(anchors::gray)},
        {"coolwarm", Diverging, true, true, "blue, grey, red for signed values (Moreland 2009)",
         interpolated(anchors::coolwarm)},
        {"RdBu_r", Diverging, false, true, "blue, white, red (ColorBrewer)",
         interpolated(anchors::rdbuReversed)},
        {"bwr", Diverging, false, true, "pure blue, white, pure red", interpolated(anchors::bwr)},
        {"Blues", Sequential, true, true, toward, interpolated(anchors::blues)},
        {"Greens", Sequential, true, true, toward, interpolated(anchors::greens)},
        {"Reds", Sequential, true, true, toward, interpolated(anchors::reds)},
        {"turbo", Sequential, false, false, "rainbow without jet's false edges (Mikhailov 2019)",
         interpolated(anchors::turbo)},
        {"jet", Sequential, false, false,
         "rainbow of older papers; invents edges, use it only to match a figure", interpolated(anchors::jet)},
    };
}

}  // namespace

Color ColorMap::at(double t) const {
    if (std::isnan(t)) return {0, 0, 0, 0};
    return colors[static_cast<std::size_t>(std::clamp(t, 0.0, 1.0) * 255 + 0.5)];
}

const std::vector<ColorMap>& colorMaps() {
    static const std::vector<ColorMap> maps = makeMaps();
    return maps;
}

const ColorMap& colorMap(const std::string& name) {
    std::vector<std::string> known;
    for (const ColorMap& map : colorMaps()) {
        if (map.name == name) return map;
        known.push_back(map.name);
    }
    throw Error("there is no colour map called \"" + name + "\"", suggestionHint(name, known), ErrorCode::Usage);
}

}  // namespace fovea::viz
