#include "display_flags.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "fovea/error.h"

namespace fovea::cli {
namespace {

[[noreturn]] void reject(const std::string& text) {
    throw Error(
        fmt::format("--scale {}: expected linked, linked:MIN:MAX, fixed:MIN:MAX, picture, log or rank, with "
                    "MIN below MAX",
                    text),
        "for instance --scale fixed:0:0.05", ErrorCode::Usage);
}

double numberOf(const std::string& part, const std::string& text) {
    double value = 0;
    const char* end = part.data() + part.size();
    const auto [rest, problem] = std::from_chars(part.data(), end, value);
    if (problem != std::errc() || rest != end || !std::isfinite(value)) reject(text);
    return value;
}

void readScale(const std::string& text, DisplayOptions& display) {
    const std::size_t first = text.find(':');
    display.scale = text.substr(0, first);
    const bool ranged = display.scale == "linked" || display.scale == "fixed";
    const bool plain = display.scale == "linked" || display.scale == "picture" || display.scale == "log" ||
                       display.scale == "rank";
    if (first == std::string::npos) {
        if (!plain) reject(text);
        return;
    }
    const std::size_t second = text.find(':', first + 1);
    if (!ranged || second == std::string::npos) reject(text);
    display.minimum = numberOf(text.substr(first + 1, second - first - 1), text);
    display.maximum = numberOf(text.substr(second + 1), text);
    if (!(display.minimum < display.maximum)) reject(text);
}

}  // namespace

void addDisplayFlags(Flags& command, DisplayFlags& flags) {
    const std::string group = "Display";
    command.option("--scale", flags.scale, "linked, linked:MIN:MAX, fixed:MIN:MAX, picture, log or rank")
        .typeName("SCALE")
        .group(group);
    command.option("--colormap", flags.values.colormap, "colour map (fovea-cli list colormaps)")
        .typeName("NAME")
        .group(group);
    command.option("--opacity", flags.values.opacity, "of the strongest heat over the picture, 0 to 1")
        .range(0.0, 1.0)
        .typeName("X")
        .group(group);
    command.option("--blend", flags.values.blend, "value: little heat lets the picture through; even: all heat alike; "
                    "auto: even for maps of single pixels, else by value")
        .oneOf({"auto", "value", "even"})
        .typeName("BLEND")
        .group(group);
    command.option("--threshold", flags.values.threshold,
                    "share of the range below which no heat is drawn, 0 to 1")
        .range(0.0, 1.0)
        .typeName("X")
        .group(group);
    command.option("--filter", flags.values.filter, "nearest, bilinear or bicubic")
        .oneOf({"nearest", "bilinear", "bicubic"})
        .typeName("FILTER")
        .group(group);
    command.option("--sinks", flags.values.sinks, "keep, mask or redistribute")
        .oneOf({"keep", "mask", "redistribute"})
        .typeName("POLICY")
        .group(group);
    command.flag("--no-grid", flags.noGrid, "without the token grid").group(group);
    command.flag("--no-recipe", flags.noRecipe, "without the recipe line").group(group);
}

DisplayOptions displayOptions(const DisplayFlags& flags) {
    DisplayOptions display = flags.values;
    readScale(flags.scale, display);
    display.tokenGrid = !flags.noGrid;
    display.recipe = !flags.noRecipe;
    return display;
}

}  // namespace fovea::cli
