// Which pictures and views the tokens of a prompt read, and the maps that are drawn of them.
#include <doctest/doctest.h>

#include <cmath>

#include "common/picture_box.h"
#include "common/picture_maps.h"
#include "common/token_grid.h"
#include "fovea/error.h"
#include "fovea/selection.h"

using namespace fovea;

namespace {

void addWord(StageTokens& stage) {
    Token token;
    token.index = stage.size();
    token.kind = TokenKind::Text;
    token.text = "word";
    stage.tokens.push_back(token);
}

// Cells of a view that covers `area`, row by row, with a separator behind each row.
void addView(StageTokens& stage, int image, int rows, int columns, const Rect& area) {
    for (int row = 0; row < rows; ++row) {
        for (int column = 0; column < columns; ++column) {
            Token token;
            token.index = stage.size();
            token.image = image;
            token.row = row, token.column = column;
            token.rect = {area.x + area.width * column / columns, area.y + area.height * row / rows, area.width / columns,
                          area.height / rows};
            stage.tokens.push_back(token);
        }
        addWord(stage);
        stage.tokens.back().kind = TokenKind::Separator;
    }
}

TokenMap mapOf(StageTokens stage, std::vector<ImageGeometry> images) {
    stage.stage = "text";
    TokenMap map;
    map.stages = {std::move(stage)};
    map.images = std::move(images);
    return map;
}

std::vector<float> indices(const TokenMap& map) {
    std::vector<float> values;
    for (const Token& token : map.stages.front().tokens) values.push_back(static_cast<float>(token.index));
    return values;
}

// Every cell of a map must show the token whose rectangle holds the cell's centre and that has the cell's size.
void checkPlaces(const TokenMap& map, const Grid& grid) {
    for (int row = 0; row < grid.rows; ++row)
        for (int column = 0; column < grid.columns; ++column) {
            const float value = grid.at(0, row, column);
            REQUIRE(!std::isnan(value));
            const Token& token = map.stages.front().tokens[static_cast<std::size_t>(value)];
            CHECK(token.image == grid.image);
            CHECK(token.rect.contains(grid.area.x + grid.area.width * (column + 0.5) / grid.columns,
                                      grid.area.y + grid.area.height * (row + 0.5) / grid.rows));
            CHECK(token.rect.width == doctest::Approx(grid.area.width / grid.columns));
        }
}

}  // namespace

TEST_CASE("two pictures of different grids give one map each, over their own areas") {
    StageTokens stage;
    addWord(stage);
    addView(stage, 0, 2, 3, {0, 0, 30, 20});
    addWord(stage);
    addView(stage, 1, 4, 2, {0, 0, 50, 100});
    const TokenMap map = mapOf(std::move(stage), {{30, 20, 2, 3, {}}, {50, 100, 4, 2, {}}});
    const auto maps = pictureMaps(map, {"text", {""}, {indices(map)}}, {}, {"", "Map", "u", "", {}});
    REQUIRE(maps.size() == 2);
    CHECK(maps[0].name == "map");
    CHECK(maps[1].name == "map 1");
    CHECK(maps[0].title == "Map, picture 0");
    CHECK(maps[1].title == "Map, picture 1");
    for (const Finding& finding : maps) checkPlaces(map, std::get<Grid>(finding.data));
    CHECK(std::get<Grid>(maps[0].data).columns == 3);
    CHECK(std::get<Grid>(maps[1].data).rows == 4);
    const auto second = pictureMaps(map, {"text", {""}, {indices(map)}}, {{"picture", 1}}, {"", "Map", "u", "", {}});
    REQUIRE(second.size() == 1);
    CHECK(second[0].name == "map");
    CHECK(std::get<Grid>(second[0].data).image == 1);
    CHECK_THROWS_AS(pictureMaps(map, {"text", {""}, {indices(map)}}, {{"picture", 2}}, {}), Error);
}

TEST_CASE("crops that tile a picture are one map, the whole picture beside them another") {
    StageTokens stage;
    for (int tile = 0; tile < 6; ++tile) addView(stage, 0, 4, 4, {40.0 * (tile % 3), 30.0 * (tile / 3), 40, 30});
    addView(stage, 0, 4, 4, {0, 0, 120, 60});
    const TokenMap map = mapOf(std::move(stage), {{120, 60, 8, 12, {}}});
    const auto maps = pictureMaps(map, {"text", {""}, {indices(map)}}, {}, {"", "Map", "u", "", {}});
    REQUIRE(maps.size() == 2);
    const Grid &crops = std::get<Grid>(maps[0].data), &whole = std::get<Grid>(maps[1].data);
    CHECK((crops.rows == 8 && crops.columns == 12));
    CHECK(crops.area == Rect{0, 0, 120, 60});
    CHECK((whole.rows == 4 && whole.columns == 4));
    CHECK(maps[1].title == "Map, whole picture");
    checkPlaces(map, crops);
    checkPlaces(map, whole);
}

TEST_CASE("the base view before a grid of crops without its padding, with cut-off rims") {
    StageTokens stage;
    addView(stage, 0, 3, 3, {0, 0, 60, 36});
    addView(stage, 0, 4, 6, {0, 0, 60, 40});
    // The crops' last row is cut off at the picture's lower rim.
    for (Token& token : stage.tokens)
        if (token.row == 3) token.rect.height = 6;
    const TokenMap map = mapOf(std::move(stage), {{60, 36, 4, 6, {}}});
    const auto grids = TokenGrid::all(map, "text");
    REQUIRE(grids.size() == 2);
    CHECK((grids[0].rows() == 4 && grids[0].columns() == 6));
    CHECK(grids[0].name() == "crops");
    CHECK(grids[0].area() == Rect{0, 0, 60, 36});
    CHECK(grids[1].name() == "whole picture");
}

TEST_CASE("frames of a clip over the same picture are maps of their own, missing cells have no value") {
    StageTokens stage;
    addView(stage, 0, 2, 2, {0, 0, 20, 20});
    addView(stage, 0, 2, 2, {0, 0, 20, 20});
    stage.tokens[1].row = stage.tokens[1].column = -1;
    const TokenMap map = mapOf(std::move(stage), {{20, 20, 2, 2, {}}});
    const auto grids = TokenGrid::all(map, "text");
    REQUIRE(grids.size() == 2);
    CHECK(std::isnan(grids[0].filled({""}, {indices(map)}).at(0, 0, 1)));
    CHECK(grids[1].name() == "view 1");
    CHECK(TokenGrid::all(mapOf({}, {}), "text").empty());
}

namespace {

std::string hintOf(const std::string& selection, const TokenMap& map) {
    try {
        parseTokens(selection, map, "text");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::Usage);
        return error.hint();
    }
    FAIL("nothing is wrong with " << selection);
    return {};
}

}  // namespace

TEST_CASE("cells are counted in one picture; of several it must be said which") {
    StageTokens stage;
    addWord(stage);
    addView(stage, 0, 2, 3, {0, 0, 30, 20});
    const TokenMap single = mapOf(stage, {{30, 20, 2, 3, {}}});
    CHECK(parseTokens("grid:1,2", single, "text") == std::vector<int>{7});
    CHECK(parseTokens("grid: 0, 1 - 1, 2", single, "text") == std::vector<int>{2, 3, 6, 7});
    CHECK(parseTokens("image:0/grid:1,2", single, "text") == std::vector<int>{7});
    CHECK(hintOf("grid:2,0", single).find("rows 0 to 1, columns 0 to 2") != std::string::npos);
    CHECK(hintOf("image:1/grid:0,0", single).find("valid are 0 to 0") != std::string::npos);
    addWord(stage);
    addView(stage, 1, 4, 2, {0, 0, 50, 100});
    const TokenMap both = mapOf(stage, {{30, 20, 2, 3, {}}, {50, 100, 4, 2, {}}});
    CHECK(parseTokens("image:1/grid:3,1", both, "text") == std::vector<int>{20});
    CHECK(parseTokens("image:0/grid:1,2; image:1/grid:3,1", both, "text") == std::vector<int>{7, 20});
    CHECK(parseTokens("image:all/grid:0,0", both, "text") == std::vector<int>{1, 10});
    CHECK(hintOf("grid:0,0", both) == "write image:0/grid:ROW,COLUMN (2 x 3), image:1/grid:ROW,COLUMN (4 x 2)");
    CHECK(hintOf("image:0/grid:3,1", both).find("rows 0 to 1") != std::string::npos);
    for (const char* wrong : {"image:0/cells:0,0", "image:0/", "view:0/", "image:0/grid:", "grid:0", "grid:-1,0", "grid:0,0-x"})
        CHECK_THROWS_AS(parseTokens(wrong, both, "text"), Error);
    CHECK_THROWS_AS(parseTokens("grid:0,0", mapOf({}, {}), "text"), Error);
}

TEST_CASE("cells of crops are counted over the picture, beside those of the whole picture") {
    StageTokens stage;
    for (int tile = 0; tile < 6; ++tile) addView(stage, 0, 4, 4, {40.0 * (tile % 3), 30.0 * (tile / 3), 40, 30});
    const TokenMap crops = mapOf(stage, {{120, 60, 8, 12, {}}});
    addView(stage, 0, 4, 4, {0, 0, 120, 60});
    const TokenMap map = mapOf(stage, {{120, 60, 8, 12, {}}});
    // Each crop has 4 rows of 4 cells and a separator; cell 7, 11 is the last one of the last crop.
    CHECK(parseTokens("grid:7,11", crops, "text") == std::vector<int>{118});
    CHECK(hintOf("grid:0,0", map) == "write view:0/grid:ROW,COLUMN (8 x 12, crops), view:1/grid:ROW,COLUMN (4 x 4, whole picture)");
    CHECK(parseTokens("view:0/grid:7,11", map, "text") == std::vector<int>{118});
    CHECK(parseTokens("image:0/view:1/grid:3,3", map, "text") == std::vector<int>{138});
    CHECK(hintOf("view:2/grid:0,0", map).find("valid are 0 to 1") != std::string::npos);
    // A trace opened again says rows and columns of its tokens as the stage's grid; crops have more.
    TokenMap reopened = crops;
    reopened.stages.front().gridRows = reopened.stages.front().gridColumns = 4;
    CHECK(parseTokens("grid:7,11", reopened, "text") == std::vector<int>{118});
    CHECK(TokenGrid::all(reopened, "text").front().columns() == 12);
}

TEST_CASE("a box takes the share of every rectangle that lies in it") {
    StageTokens stage;
    addView(stage, 0, 2, 2, {0, 0, 20, 20});
    const auto inside = tokensInBox(stage, 0, parseBox("5, 0,10,10", 20, 20));
    REQUIRE(inside.size() == 2);
    CHECK(inside[0] == std::pair<int, double>{0, 0.5});
    CHECK(inside[1] == std::pair<int, double>{1, 0.5});
    CHECK(tokensInBox(stage, 1, {0, 0, 20, 20}).empty());
    CHECK(parseBox("-5,-5,10,10", 20, 20) == Rect{0, 0, 5, 5});
    for (const char* wrong : {"", "1,2,3", "1,2,3,x", "1,2,3,4,5", "30,0,5,5", "0,0,0,5", "0,0,-4,5", "nan,0,5,5"})
        CHECK_THROWS_AS(parseBox(wrong, 20, 20), Error);
}

TEST_CASE("the share of every picture and of the text is told where a prompt has several") {
    StageTokens stage;
    stage.stage = "text";
    addWord(stage);
    addView(stage, 0, 1, 2, {0, 0, 20, 10});
    const StageTokens single = stage;
    addView(stage, 1, 1, 1, {0, 0, 10, 10});
    // A word, two cells of the first picture and a separator, the cell of the second and a separator.
    const std::vector<float> values{0.1F, 0.25F, 0.25F, 0.1F, 0.2F, 0.1F};
    CHECK(pictureShares(stage, values) == "picture 0 50.0 %, picture 1 20.0 %, text 30.0 %");
    // Shares are of what there is, also where values do not sum to 1.
    CHECK(pictureShares(stage, {1, NAN, 3}) == "picture 0 75.0 %, picture 1 0.0 %, text 25.0 %");
    CHECK(pictureShares(stage, {0, 0, 0, 0, 0, 0}).empty());
    CHECK(pictureShares(single, values).empty());
}

TEST_CASE("of a film's many pictures the sum and the largest are told") {
    StageTokens stage;
    stage.stage = "text";
    addWord(stage);
    for (int frame = 0; frame < 8; ++frame) addView(stage, frame, 1, 1, {0, 0, 10, 10});
    std::vector<float> values(stage.tokens.size(), 0.0F);
    values[0] = 0.5F;
    for (const Token& token : stage.tokens)
        if (token.row >= 0) values[static_cast<std::size_t>(token.index)] = token.image == 5 ? 0.15F : 0.05F;
    CHECK(pictureShares(stage, values) == "8 pictures 50.0 %, most of it picture 5 15.0 %, text 50.0 %");
}
