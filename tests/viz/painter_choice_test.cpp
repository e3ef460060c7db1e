#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "fovea/error.h"
#include "picture/grid_view.h"
#include "viz/samples.h"

using namespace fovea;
using namespace fovea::viz;

namespace {

std::string textOf(const Picture& picture, const std::string& layer = "") {
    std::string all;
    for (const Layer& each : picture.layers)
        for (const Mark& mark : each.marks)
            if (const auto* text = std::get_if<TextMark>(&mark); text && (layer.empty() || layer == each.name))
                all += text->text + " ";
    return all;
}

const RasterMark& rasterOf(const Picture& picture, const std::string& layer) {
    for (const Layer& each : picture.layers)
        if (each.name == layer)
            for (const Mark& mark : each.marks)
                if (const auto* raster = std::get_if<RasterMark>(&mark)) return *raster;
    throw Error("no raster on " + layer);
}

Picture painted(const PainterEntry& entry, const Finding& finding, const Pixels& photo, const Display& display,
                const std::vector<int>& selected = {}) {
    static const TokenMap tokens = samples::tokens(90, 60, 14, 14);
    return entry.paint({finding, tokens, photo, display, "", selected, {}}, checkedParams(entry.info, nullptr));
}

}  // namespace

TEST_CASE("several maps are drawn side by side unless a parameter asks for another painter") {
    const PainterCatalog catalog = makePainterCatalog();
    const Finding several = samples::grid(14, 14, samples::headNames(2, 3), 90, 60);
    const Finding single = samples::grid(14, 14, {""}, 90, 60);
    CHECK(painterFor(catalog, several, "").info.id == "head_grid");
    CHECK(painterFor(catalog, single, "").info.id == "heat_overlay");
    CHECK(painterFor(catalog, several, "", {{"plane", 2}}).info.id == "heat_overlay");
    CHECK(painterFor(catalog, several, "", {{"columns", 2}}).info.id == "head_grid");
    CHECK(painterFor(catalog, several, "", {{"nonsense", 2}}).info.id == "head_grid");
    CHECK(painterFor(catalog, several, "heat_overlay").info.id == "heat_overlay");
}

TEST_CASE("what an overlay spans is the map that the planes fuse to") {
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& overlay = catalog.get("heat_overlay");
    const Finding several = samples::grid(14, 14, samples::headNames(2, 3), 90, 60);
    const auto params = [&](const nlohmann::json& given) { return checkedParams(overlay.info, given); };
    const Finding mean = overlay.reduced(several, params(nullptr));
    REQUIRE(std::get<Grid>(mean.data).planeCount() == 1);
    CHECK(mean.name != several.name);
    CHECK(mean.name != overlay.reduced(several, params({{"fuse", "max"}})).name);
    CHECK(valueRange(mean).second < 0.9 * valueRange(several).second);
    double sum = 0;
    for (int plane = 0; plane < 6; ++plane) sum += static_cast<double>(std::get<Grid>(several.data).at(plane, 3, 4));
    CHECK(static_cast<double>(std::get<Grid>(mean.data).at(0, 3, 4)) == doctest::Approx(sum / 6));
    // One plane of several keeps the range of all of them, so that planes can be compared.
    CHECK(overlay.reduced(several, params({{"plane", 1}})).name == several.name);
    CHECK(textOf(painted(overlay, several, {}, {})).find("mean of 6 planes: L0 H0 to L1 H2") != std::string::npos);
}

TEST_CASE("little heat lets the photograph through, and the colour bar shows it") {
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& overlay = catalog.get("heat_overlay");
    Finding ramp = samples::grid(14, 14, {""}, 90, 60);
    Grid& grid = std::get<Grid>(ramp.data);
    for (std::size_t i = 0; i < grid.values.size(); ++i) grid.values[i] = static_cast<float>(i);
    const Pixels photo = samples::photo(90, 60);
    Display display;
    const RasterMark heat = rasterOf(painted(overlay, ramp, photo, display), "heat");
    const auto alpha = [](const RasterMark& raster, std::size_t cell) { return int{(*raster.rgba)[4 * cell + 3]}; };
    CHECK(alpha(heat, 0) == 0);
    CHECK(alpha(heat, 30) < alpha(heat, 60));
    CHECK(alpha(heat, 195) == std::lround(255 * display.opacity));
    const RasterMark bar = rasterOf(painted(overlay, ramp, photo, display), "legend");
    CHECK(alpha(bar, 0) == 255);
    CHECK(alpha(bar, 255) == 0);
    display.blend = Blend::Even;
    CHECK(alpha(rasterOf(painted(overlay, ramp, photo, display), "heat"), 0) == std::lround(255 * display.opacity));
    CHECK(alpha(rasterOf(painted(overlay, ramp, photo, display), "legend"), 255) == 255);
    // Without a photograph there is nothing to let through.
    display.blend = Blend::Value;
    CHECK(alpha(rasterOf(painted(overlay, ramp, {}, display), "heat"), 0) == 255);
    grid.signedValues = true;
    for (std::size_t i = 0; i < grid.values.size(); ++i) grid.values[i] = static_cast<float>(i) - 97;
    const RasterMark around = rasterOf(painted(overlay, ramp, photo, display), "heat");
    CHECK(alpha(around, 97) == 0);
    CHECK(alpha(around, 0) == alpha(around, 194));
}

TEST_CASE("a map of single pixels lies evenly over the photograph, and a few pixels do not decide its scale") {
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& overlay = catalog.get("heat_overlay");
    Finding specks = samples::grid(30, 30, {""}, 90, 60);
    Grid& grid = std::get<Grid>(specks.data);
    grid.pixels = true;
    for (std::size_t i = 0; i < grid.values.size(); ++i) grid.values[i] = 0.001F * static_cast<float>(i % 50);
    grid.values[7] = 0.9F;
    const auto range = [&](const nlohmann::json& given) {
        return viz::valueRange(overlay.reduced(specks, checkedParams(overlay.info, given)));
    };
    CHECK(range(nullptr).second == doctest::Approx(0.049));
    CHECK(range({{"cut", 0}}).second == doctest::Approx(0.9));
    Display display;
    display.scale.linkedMaximum = 0.0495;
    const Picture picture = painted(overlay, specks, samples::photo(90, 60), display);
    CHECK((*rasterOf(picture, "heat").rgba)[3] == std::lround(255 * display.opacity));
    CHECK(textOf(picture, "legend").find("cut at percentile 99") != std::string::npos);
    CHECK(textOf(picture, "note").find("1 of 900 cells") != std::string::npos);
    // Maps of tokens keep their whole range and let the photograph through.
    grid.pixels = false;
    CHECK(range(nullptr).second == doctest::Approx(0.9));
    CHECK((*rasterOf(painted(overlay, specks, samples::photo(90, 60), {}), "heat").rgba)[3] == 0);
}

TEST_CASE("a colour bar names both ends of its scale, and no labels overlap") {
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& overlay = catalog.get("heat_overlay");
    const Finding map = samples::grid(14, 14, {""}, 90, 60);
    const std::pair<double, double> ranges[] = {{0, 0.01843}, {0, 0.4029}, {1.124e-11, 0.3}, {1.04e-5, 0.6352}, {-3, 7}};
    for (const auto& [low, high] : ranges) {
        Display display;
        display.scale = {Scale::Kind::Fixed, low, high, 0, 0};
        const Picture picture = painted(overlay, map, {}, display);
        std::vector<std::pair<double, std::string>> labels;
        for (const Layer& layer : picture.layers)
            for (const Mark& mark : layer.marks)
                if (const auto* text = std::get_if<TextMark>(&mark); text && layer.name == "legend" && text->rotation == 0)
                    labels.emplace_back(text->position.y, text->text);
        std::sort(labels.begin(), labels.end());
        REQUIRE(labels.size() >= 3);
        INFO(labels.front().second, " to ", labels.back().second);
        CHECK(std::stod(labels.front().second) == doctest::Approx(high).epsilon(0.005));
        CHECK(std::abs(std::stod(labels.back().second) - low) <= 0.005 * std::abs(low));
        for (std::size_t i = 1; i < labels.size(); ++i) CHECK(labels[i].first - labels[i - 1].first > 10);
    }
}

TEST_CASE("maps without a table fill their rows") {
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& entry = catalog.get("head_grid");
    for (const std::size_t count : {2U, 4U, 5U, 8U, 12U}) {
        std::vector<std::string> names;
        for (std::size_t i = 0; i < count; ++i) names.push_back(std::string(1, static_cast<char>('a' + i)));
        const Picture picture = painted(entry, samples::grid(14, 14, names, 90, 60), {}, {});
        std::set<double> rows, columns;
        for (const HitArea& hit : picture.hits) {
            rows.insert(std::round(hit.rect.y));
            columns.insert(std::round(hit.rect.x));
        }
        CHECK(rows.size() * columns.size() - count < rows.size());
        if (count == 4) CHECK(columns.size() == 2);
    }
}

TEST_CASE("a selected token is boxed in the legend only where it is boxed in the picture") {
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& overlay = catalog.get("heat_overlay");
    const Finding map = samples::grid(14, 14, {""}, 90, 60);
    const std::string both = textOf(painted(overlay, map, {}, {}, {0, 45}));
    CHECK(both.find("selected: token 45 (row 3, col 2) ") != std::string::npos);
    CHECK(both.find("without a place in the picture: \"[CLS]\" (token 0).") != std::string::npos);
    CHECK(textOf(painted(overlay, map, {}, {}, {0}), "legend").find("selected") == std::string::npos);
}

TEST_CASE("circles of a scanpath tell duration or, where that is constant, the share of the map") {
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& entry = catalog.get("scanpath");
    const auto widths = [&](std::vector<double> durations, std::vector<double> masses, std::string& text) {
        Path path;
        for (std::size_t i = 0; i < durations.size(); ++i)
            path.fixations.push_back({20.0 + 20 * static_cast<double>(i), 30, 0, durations[i], masses[i]});
        const Finding finding{"path", "A path", "", "", path};
        const Picture picture = painted(entry, finding, samples::photo(90, 60), {});
        text = textOf(picture);
        std::vector<double> out;
        for (const Layer& layer : picture.layers)
            for (const Mark& mark : layer.marks)
                if (const auto* circle = std::get_if<EllipseMark>(&mark); circle && layer.name == "marks")
                    out.push_back(circle->rect.width);
        return out;
    };
    std::string text;
    auto circles = widths({100, 400, 200}, {0.1, 0.1, 0.1}, text);
    REQUIRE(circles.size() == 3);
    CHECK(circles[1] == doctest::Approx(2 * circles[0]));
    CHECK(text.find("duration 62.5 ms and 250 ms") != std::string::npos);
    circles = widths({250, 250, 250}, {0.04, 0.16, 0.08}, text);
    CHECK(circles[1] == doctest::Approx(2 * circles[0]));
    CHECK(text.find("share of the map 2.5 % and 10 %") != std::string::npos);
    circles = widths({250, 250, 250}, {0.1, 0.1, 0.1}, text);
    CHECK(circles[1] == circles[0]);
    CHECK(text.find("all circles have one size") != std::string::npos);
}

TEST_CASE("numbers of a column have the same decimals, and none is more exact than it is") {
    const auto column = [](const std::vector<double>& values) {
        Table table{{{"probability", "probability"}, {"token", ""}}, {}};
        for (const double value : values) table.rows.push_back({value, std::string(" ")});
        return textOf(painted(makePainterCatalog().get("table"), {"table", "", "", "", table}, {}, {}), "labels");
    };
    CHECK(column({0.5, 0.25}) == "probability token 0.50 \u00B7 0.25 \u00B7 ");
    CHECK(column({0.03, 3, 86}) == "probability token 0.03 \u00B7 3.00 \u00B7 86.00 \u00B7 ");
    CHECK(column({0.0336, 0.03, 0.00901}) == "probability token 0.03360 \u00B7 0.03000 \u00B7 0.00901 \u00B7 ");
    CHECK(column({0.99997, 4.73e-6}) == "probability token 1.000 \u00B7 4.73e-6 \u00B7 ");
    CHECK(column({0, 318}) == "probability token 0 \u00B7 318 \u00B7 ");
    CHECK(column({1250.5, 0.0123}) == "probability token 1250.50 \u00B7 0.0123 \u00B7 ");
}

TEST_CASE("numbers of a column stand with their decimal points aligned, and a cut table says so") {
    Table table{{{"name", ""}, {"value", "nats"}}, {}};
    for (const double value : {0.0123, 4.56, 120.0, 1.5e-7, 0.5}) table.rows.push_back({std::string("x"), value});
    const Finding finding{"table", "A table", "", "", table};
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& entry = catalog.get("table");
    const Picture picture = painted(entry, finding, {}, {});
    std::vector<double> points;
    for (const Layer& layer : picture.layers)
        for (const Mark& mark : layer.marks)
            if (const auto* text = std::get_if<TextMark>(&mark); text && layer.name == "labels" &&
                                                                 text->anchor == Anchor::End && !text->bold &&
                                                                 text->text.find_first_of("0123456789") == 0) {
                const std::size_t point = std::min(text->text.find_first_of(".e"), text->text.size());
                points.push_back(text->position.x - textWidth(text->text.substr(point), text->size));
            }
    REQUIRE(points.size() == 5);
    for (const double point : points) CHECK(point == doctest::Approx(points[0]));
    const TokenMap none;
    const Picture cut = entry.paint({finding, none, {}, {}, "", {}, {}}, checkedParams(entry.info, {{"rows", 2}}));
    CHECK(textOf(cut).find("2 of 5 rows shown") != std::string::npos);
}
