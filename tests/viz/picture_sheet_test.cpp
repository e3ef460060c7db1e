// Several pictures of one prompt: which tokens a map's cells are, and their maps side by side.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "fovea/viz/painter.h"
#include "picture/grid_tokens.h"
#include "picture/grid_view.h"
#include "picture/text_metrics.h"
#include "viz/samples.h"

using namespace fovea;
using namespace fovea::viz;

namespace {

constexpr int side = 4;  // cells of every picture
constexpr double pixels = 40;

/// A prompt: a word, the cells of every picture row by row, a word.
TokenMap prompt(int pictures) {
    TokenMap map;
    StageTokens text;
    text.stage = "text";
    const auto word = [&](const char* say) {
        Token token;
        token.index = text.size();
        token.kind = TokenKind::Text;
        token.text = say;
        text.tokens.push_back(token);
    };
    word("USER:");
    for (int image = 0; image < pictures; ++image) {
        for (int row = 0; row < side; ++row)
            for (int column = 0; column < side; ++column) {
                Token token;
                token.index = text.size();
                token.image = image;
                token.row = row, token.column = column;
                token.rect = {column * pixels / side, row * pixels / side, pixels / side, pixels / side};
                text.tokens.push_back(token);
            }
        map.images.push_back({static_cast<int>(pixels), static_cast<int>(pixels), side, side, {}});
    }
    word("?");
    map.stages.push_back(std::move(text));
    return map;
}

Finding mapOf(int image, float scale) {
    Grid grid;
    grid.image = image;
    grid.rows = grid.columns = side;
    grid.area = {0, 0, pixels, pixels};
    grid.planes = {""};
    for (int i = 0; i < side * side; ++i) grid.values.push_back(scale * static_cast<float>(i + 1) / (side * side));
    return {image == 0 ? "map" : "map " + std::to_string(image), "Map", "probability", "", grid};
}

struct Sheet {
    TokenMap tokens;
    std::vector<Finding> maps;
    Pixels image = samples::photo(40, 40);
    Finding caption{"map", "All of them", "probability", "", TokenScores{}};
    std::vector<int> selected;
    Display display;
    std::vector<std::string> remarks;

    explicit Sheet(int pictures) : tokens(prompt(pictures)) {
        for (int i = 0; i < pictures; ++i) maps.push_back(mapOf(i, i == 1 ? 1.0F : 0.5F));
    }
    Picture paint() const {
        PaintInput in{caption, tokens, image, display, "", selected, {}};
        for (std::size_t i = 0; i < maps.size(); ++i)
            in.cells.push_back({&maps[i], &image, "picture " + std::to_string(i + 1)});
        in.remarks = remarks;
        return makePainterCatalog().get("heat_overlay").paint(in, nlohmann::json::object());
    }
};

std::vector<std::string> texts(const Picture& picture, const std::string& layer) {
    std::vector<std::string> found;
    for (const Layer& each : picture.layers)
        for (const Mark& mark : each.marks)
            if (const auto* text = std::get_if<TextMark>(&mark); text && each.name == layer) found.push_back(text->text);
    return found;
}

bool inside(const Rect& inner, const Rect& outer) {
    constexpr double slack = 1e-6;
    return inner.x >= outer.x - slack && inner.y >= outer.y - slack && inner.x + inner.width <= outer.x + outer.width + slack &&
           inner.y + inner.height <= outer.y + outer.height + slack;
}

}  // namespace

TEST_CASE("cells of a map are the tokens of its own picture") {
    const TokenMap map = prompt(3);
    for (int image = 0; image < 3; ++image) {
        const Finding finding = mapOf(image, 1);
        const GridTokens tokens = gridTokens(map, std::get<Grid>(finding.data));
        REQUIRE(tokens.stage == &map.stages[0]);
        for (int cell = 0; cell < side * side; ++cell) {
            const int token = 1 + image * side * side + cell;
            CHECK(tokens.cells[static_cast<std::size_t>(cell)] == token);
            CHECK(tokens.cellOf(token) == cell);
        }
        CHECK(tokens.cellOf(0) == -1);
        CHECK(tokens.cellOf(1 + (image + 1) % 3 * side * side) == -1);
    }
}

TEST_CASE("cells of a coarse view are not tokens of a finer one, and cut-off cells count") {
    TokenMap map = prompt(1);
    Grid coarse;
    coarse.rows = coarse.columns = 2;
    coarse.area = {0, 0, pixels, pixels};
    coarse.planes = {""};
    coarse.values.assign(4, 0);
    CHECK(gridTokens(map, coarse).stage == nullptr);
    // The last row shows less of the picture than the others.
    for (Token& token : map.stages[0].tokens)
        if (token.row == side - 1) token.rect.height = 4;
    Finding finding = mapOf(0, 1);
    auto& grid = std::get<Grid>(finding.data);
    grid.area.height = 34;
    CHECK(gridTokens(map, grid).cells[side * side - 1] == side * side);
}

TEST_CASE("pictures of a prompt lie side by side, each with its label, tokens and pixels, under one colour bar") {
    for (const int count : {2, 3, 5, 16}) {
        CAPTURE(count);
        Sheet sheet(count);
        const Picture picture = sheet.paint();
        REQUIRE(picture.images.size() == static_cast<std::size_t>(count));
        for (int i = 0; i < count; ++i) {
            CHECK(picture.images[static_cast<std::size_t>(i)].image == i);
            for (int j = 0; j < i; ++j) {
                const Rect &a = picture.images[static_cast<std::size_t>(i)].target, &b = picture.images[static_cast<std::size_t>(j)].target;
                const bool apart = a.x >= b.x + b.width || b.x >= a.x + a.width || a.y >= b.y + b.height || b.y >= a.y + a.height;
                CHECK(apart);
            }
            CHECK(inside(picture.images[static_cast<std::size_t>(i)].target, {0, 0, picture.width, picture.height}));
        }
        REQUIRE(picture.hits.size() == static_cast<std::size_t>(count * side * side));
        for (std::size_t i = 0; i < picture.hits.size(); ++i) {
            const HitArea& hit = picture.hits[i];
            const Token& token = sheet.tokens.stages[0].tokens[static_cast<std::size_t>(hit.token)];
            CHECK(hit.token == static_cast<int>(i) + 1);
            CHECK(hit.stage == "text");
            CHECK(hit.source == token.rect);
            CHECK(inside(hit.rect, picture.images[static_cast<std::size_t>(token.image)].target));
            CHECK(hit.label.starts_with("picture " + std::to_string(token.image + 1) + "  token"));
        }
        std::vector<std::string> labels;
        for (int i = 0; i < count; ++i) labels.push_back("picture " + std::to_string(i + 1));
        CHECK(texts(picture, "labels") == labels);
        std::size_t bars = 0;
        for (const Layer& layer : picture.layers)
            for (const Mark& mark : layer.marks)
                if (const auto* raster = std::get_if<RasterMark>(&mark)) bars += layer.name == "legend" && raster->width == 1;
        CHECK(bars == 1);
    }
}

TEST_CASE("no text of a sheet is cut, whatever the font size and the pictures' shapes") {
    for (const double size : {8.0, 12.0, 24.0})
        for (const int count : {2, 7, 16}) {
            Sheet sheet(count);
            sheet.display.fontSize = size;
            sheet.tokens.images[0] = {400, 30, 0, 0, {}};
            sheet.tokens.images[1] = {30, 400, 0, 0, {{0, 0, 30, 10}}};
            const Picture picture = sheet.paint();
            CAPTURE(size);
            CAPTURE(count);
            for (const Layer& layer : picture.layers)
                for (const Mark& mark : layer.marks) {
                    const auto* text = std::get_if<TextMark>(&mark);
                    if (!text || text->rotation != 0) continue;
                    const double width = textWidth(text->text, text->size, text->bold ? Face::Bold : Face::Regular);
                    const double left = text->position.x - (text->anchor == Anchor::Start ? 0 : text->anchor == Anchor::Middle ? width / 2 : width);
                    CHECK_MESSAGE(left >= -1, text->text);
                    CHECK_MESSAGE(left + width <= picture.width + 1, text->text);
                    CHECK(text->position.y <= picture.height);
                }
        }
}

TEST_CASE("one scale for all: equal values of different pictures have equal colours") {
    Sheet sheet(2);
    const Picture picture = sheet.paint();
    std::vector<const RasterMark*> heat;
    for (const Layer& layer : picture.layers)
        for (const Mark& mark : layer.marks)
            if (const auto* raster = std::get_if<RasterMark>(&mark); raster && layer.name == "heat") heat.push_back(raster);
    REQUIRE(heat.size() == 2);
    // The first picture's values are half of the second's: its last cell is 8 / 16.
    const auto color = [&](std::size_t map, int cell) {
        const auto begin = heat[map]->rgba->begin() + 4 * cell;
        return std::vector<std::uint8_t>(begin, begin + 4);
    };
    CHECK(color(0, 15) == color(1, 7));
    CHECK(color(0, 15) != color(1, 15));
    sheet.display.scale.kind = Scale::Kind::Picture;
    const auto legend = texts(sheet.paint(), "legend");
    CHECK(std::any_of(legend.begin(), legend.end(), [](const std::string& text) { return text.find("range of these pictures") != std::string::npos; }));
}

TEST_CASE("selected tokens and sinks are outlined in their own picture alone, and what is left out is said") {
    Sheet sheet(2);
    const auto outlines = [](const Picture& picture) {
        std::vector<Rect> rects;
        for (const Layer& layer : picture.layers)
            for (const Mark& mark : layer.marks)
                if (const auto* rect = std::get_if<RectMark>(&mark); rect && layer.name == "marks") rects.push_back(rect->rect);
        return rects;
    };
    CHECK(outlines(sheet.paint()).empty());
    sheet.selected = {1 + side * side + 5};
    sheet.remarks = {"Pictures 1 to 2 of 3."};
    const Picture picture = sheet.paint();
    const auto marked = outlines(picture);
    REQUIRE_FALSE(marked.empty());
    const Rect grown{picture.images[1].target.x - 3, picture.images[1].target.y - 3, picture.images[1].target.width + 6,
                     picture.images[1].target.height + 6};
    for (const Rect& rect : marked) CHECK(inside(rect, grown));
    const auto notes = texts(picture, "note");
    CHECK(std::find(notes.begin(), notes.end(), sheet.remarks[0]) != notes.end());
}

TEST_CASE("a few outshining cells do not decide a linked scale of many maps") {
    Grid grid;
    grid.rows = grid.columns = 10;
    grid.planes = {"L0 H0", "L0 H1"};
    for (int i = 0; i < 200; ++i) grid.values.push_back(0.001F * static_cast<float>(i % 50));
    const Finding even{"map", "", "", "", grid};
    CHECK(valueRange(cutFinding(even, 1)) == valueRange(even));
    grid.values[3] = 0.9F;
    const Finding outshone{"map", "", "", "", grid};
    CHECK(valueRange(cutFinding(outshone, 1)).second == doctest::Approx(0.049));
    CHECK(valueRange(cutFinding(outshone, 0)).second == doctest::Approx(0.9));
    CHECK(cutFinding(outshone, 1).name != outshone.name);
    grid.signedValues = true;
    grid.values[4] = -0.8F;
    CHECK(valueRange(cutFinding({"map", "", "", "", grid}, 1)).first == doctest::Approx(-0.049));
    // The picture says that cells lie beyond its scale, and how many.
    const PainterCatalog painters = makePainterCatalog();
    const PainterEntry& painter = painters.get("head_grid");
    const TokenMap none;
    Display display;
    display.scale.linkedMaximum = 0.05;
    const Picture picture = painter.paint({outshone, none, Pixels(), display, "", {}, {}}, nlohmann::json::object());
    const auto notes = texts(picture, "note"), legend = texts(picture, "legend");
    CHECK(std::any_of(notes.begin(), notes.end(), [](const std::string& t) { return t == "Beyond the scale, drawn as its end: 1 of 200 cells (0.5 %), the largest 0.9."; }));
    CHECK(std::any_of(legend.begin(), legend.end(), [](const std::string& t) { return t.find("cut") != std::string::npos; }));
}
