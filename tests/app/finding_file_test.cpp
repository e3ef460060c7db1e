#include "session/finding_file.h"

#include <doctest/doctest.h>

#include <cmath>

#include "fovea/error.h"
#include "io/support.h"
#include "session/table_difference.h"

using namespace fovea;

namespace {

class Counting final : public MatrixSource {
public:
    int rows() const override { return 2; }
    int columns() const override { return 3; }
    Array tile(int rowBegin, int rowEnd, int columnBegin, int columnEnd) const override {
        Array out({rowEnd - rowBegin, columnEnd - columnBegin});
        for (int r = rowBegin; r < rowEnd; ++r)
            for (int c = columnBegin; c < columnEnd; ++c)
                out.at(r - rowBegin, c - columnBegin) = static_cast<float>(10 * r + c);
        return out;
    }
    Array pooled(int) const override { return tile(0, 2, 0, 3); }
};

std::vector<Finding> oneOfEach() {
    Grid grid;
    grid.rows = 1, grid.columns = 2;
    grid.planes = {"a", "b"};
    grid.values = {0.25F, 0.5F, 1.0F, NAN};
    Tree tree{"vision", {3, 5}, {-1, 0}, {0, 0.5F}, {0, 1}, {1, 2}};
    Path path;
    path.fixations = {{1, 2, 3, 4, 5}};
    Series series{"layer", "share", {{"one", {0, 1}, {0.5, 0.25}}}};
    Table table{{{"name", ""}, {"mass", "probability"}}, {{std::string("a, \"b\""), 0.5}}};
    return {{"scores", "", "p", "", TokenScores{"vision", {0.5F, 0.25F}}},
            {"matrix", "", "p", "", PairMatrix{"vision", "vision", std::make_shared<Counting>()}},
            {"map", "", "p", "", grid},
            {"tree", "", "", "", tree},
            {"path", "", "", "", path},
            {"curve", "", "", "", series},
            {"table", "", "", "", table}};
}

Numbers numbersOf(int items) {
    Numbers numbers;
    numbers.session.analyses = {{"any", nlohmann::json::object()}};
    for (int i = 0; i < items; ++i) {
        auto result = std::make_shared<AnalysisResult>();
        result->findings = oneOfEach();
        numbers.items.push_back({i, "picture.png", result, nullptr});
    }
    return numbers;
}

}  // namespace

TEST_CASE("every kind of finding becomes CSV rows") {
    Numbers numbers = numbersOf(1);
    const std::pair<const char*, const char*> expected[] = {
        {"scores", "token,name,row,column,value (p)\r\n0,,,,0.5\r\n1,,,,0.25\r\n"},
        {"matrix", "query,key 0,key 1,key 2\r\n0,0,1,2\r\n1,10,11,12\r\n"},
        {"map", "plane,row,column,value (p)\r\na,0,0,0.25\r\na,0,1,0.5\r\nb,0,0,1\r\nb,0,1,nan\r\n"},
        {"path", "fixation,x (px),y (px),onset (ms),duration (ms),mass\r\n0,1,2,3,4,5\r\n"},
        {"curve", "line,layer,share\r\none,0,0.5\r\none,1,0.25\r\n"},
        {"table", "name,mass (probability)\r\n\"a, \"\"b\"\"\",0.5\r\n"},
    };
    for (const auto& [name, text] : expected) {
        numbers.finding = name;
        CHECK(numbersCsv(numbers) == text);
    }
    numbers.finding = "tree";
    CHECK(numbersCsv(numbers).find("\r\n1,5,,,,0,0.5,1,2\r\n") != std::string::npos);
    numbers.finding = "none";
    CHECK_THROWS_AS(numbersCsv(numbers), Error);
}

TEST_CASE("a unit is said once") {
    Numbers numbers = numbersOf(1);
    auto result = std::make_shared<AnalysisResult>();
    result->findings = {{"curve", "", "probability", "", Series{"layer", "mass (probability)", {{"one", {0}, {0.5}}}}}};
    numbers.items[0].result = result;
    CHECK(numbersCsv(numbers) == "line,layer,mass (probability)\r\none,0,0.5\r\n");
    result = std::make_shared<AnalysisResult>();
    result->findings = {{"curve", "", "probability", "", Series{"layer", "mass", {{"one", {0}, {0.5}}}}}};
    numbers.items[0].result = result;
    CHECK(numbersCsv(numbers) == "line,layer,mass (probability)\r\none,0,0.5\r\n");
}

TEST_CASE("several items have a column of their own") {
    Numbers numbers = numbersOf(2);
    numbers.finding = "path";
    CHECK(numbersCsv(numbers) ==
          "item,fixation,x (px),y (px),onset (ms),duration (ms),mass\r\n0,0,1,2,3,4,5\r\n1,0,1,2,3,4,5\r\n");
}

TEST_CASE("arrays keep names and shapes") {
    std::vector<std::pair<std::string, Array>> arrays;
    for (const Finding& finding : oneOfEach())
        for (auto& entry : arraysOf(finding)) arrays.push_back(std::move(entry));
    const auto shapeOf = [&](const std::string& name) -> std::vector<std::int64_t> {
        for (const auto& [known, array] : arrays)
            if (known == name) return array.shape;
        return {};
    };
    CHECK(shapeOf("scores") == std::vector<std::int64_t>{2});
    CHECK(shapeOf("matrix") == std::vector<std::int64_t>{2, 3});
    CHECK(shapeOf("map") == std::vector<std::int64_t>{2, 1, 2});
    CHECK(shapeOf("tree/parent") == std::vector<std::int64_t>{2});
    CHECK(shapeOf("path") == std::vector<std::int64_t>{1, 5});
    CHECK(shapeOf("curve/one/y") == std::vector<std::int64_t>{2});
    CHECK(shapeOf("table/mass") == std::vector<std::int64_t>{1});
    CHECK(shapeOf("table/name").empty());
}

TEST_CASE("columns with gaps and marks are arrays; columns of texts are named as left out") {
    const Finding table{"t", "", "", "", Table{{{"norm", ""}, {"sink", ""}, {"chosen", ""}, {"kind", ""}, {"none", ""}},
                                               {{1.5, "yes", "", "image", ""}, {"", "no", "yes", "", ""}}}};
    const auto arrays = arraysOf(table);
    REQUIRE(arrays.size() == 4);
    CHECK(arrays[0].first == "t/norm");
    CHECK(arrays[0].second.values[0] == 1.5F);
    CHECK(std::isnan(arrays[0].second.values[1]));
    CHECK(arrays[1].first == "t/sink");
    CHECK(arrays[1].second.values == std::vector<float>{1, 0});
    CHECK(arrays[2].first == "t/chosen");
    CHECK(arrays[2].second.values == std::vector<float>{0, 1});
    CHECK(arrays[3].first == "t/none");
    CHECK(std::isnan(arrays[3].second.values[1]));
    CHECK(columnsLeftOut(table) == std::vector<std::string>{"t/kind"});
    CHECK(columnsLeftOut(oneOfEach()[0]).empty());

    const test::TemporaryFolder folder;
    writeNumbers(folder.path() / "x.safetensors", numbersOf(2));
    const std::string bytes = test::readBytes(folder.path() / "x.safetensors");
    CHECK(bytes.find(R"("fovea.columns_left_out":"[\"table/name\"]")") != std::string::npos);
}

TEST_CASE("arrays have labels of what their axes stand for") {
    TokenMap map;
    map.stages = {{"vision", 1, 2, {{0, TokenKind::Special, "[CLS]", -1, -1, -1, {}}, {1, TokenKind::Image, "", 0, 2, 3, {}}}}};
    map.images.resize(1);
    const auto labels = [&](std::size_t finding, const TokenMap* known) { return labelsOf(oneOfEach()[finding], known); };
    using Texts = std::vector<std::pair<std::string, std::vector<std::string>>>;
    const FindingLabels scores = labels(0, &map);
    REQUIRE(scores.tokens.size() == 1);
    CHECK(scores.tokens[0].first == "scores/tokens");
    CHECK(scores.tokens[0].second.values == std::vector<float>{0, 1});
    CHECK((scores.texts == Texts{{"scores/labels", {"[CLS]", "patch (row 2, column 3)"}}}));
    CHECK(labels(0, nullptr).texts.empty());
    CHECK(labels(0, nullptr).tokens.size() == 1);
    const FindingLabels matrix = labels(1, &map);
    REQUIRE(matrix.tokens.size() == 2);
    CHECK(matrix.tokens[0].first == "matrix/row_tokens");
    CHECK(matrix.tokens[1].first == "matrix/column_tokens");
    CHECK(matrix.tokens[1].second.values == std::vector<float>{0, 1, 2});
    REQUIRE(matrix.texts.size() == 2);
    CHECK(matrix.texts[1].first == "matrix/column_labels");
    CHECK(matrix.texts[1].second.back().empty());  // no such token
    CHECK((labels(2, &map).texts == Texts{{"map/planes", {"a", "b"}}}));
    CHECK((labels(3, &map).texts == Texts{{"tree/labels", {"", ""}}}));
    CHECK(labels(4, &map).texts.empty());
    CHECK((labels(6, nullptr).texts == Texts{{"table/name", {"a, \"b\""}}}));
    map.images.resize(2);
    CHECK(labels(0, &map).texts[0].second[1] == "picture 0, patch (row 2, column 3)");

    const test::TemporaryFolder folder;
    writeNumbers(folder.path() / "x.safetensors", numbersOf(1));
    const std::string bytes = test::readBytes(folder.path() / "x.safetensors");
    CHECK(bytes.find(R"("fovea.texts":"{\"map/planes\":[\"a\",\"b\"],\"table/name\":[)") != std::string::npos);
}

TEST_CASE("numbers hold the answer that they are about, and tables the names of its tokens") {
    Numbers numbers = numbersOf(1);
    CHECK_FALSE(numbersJson(numbers)["items"][0].contains("answer"));
    numbers.items[0].answer = AnswerText{"a b", {4, 5}, {"a", " b"}};
    CHECK(numbersJson(numbers)["items"][0]["answer"].dump() == R"({"text":"a b","ids":[4,5],"tokens":["a"," b"]})");
    TokenMap map;
    map.stages = {{"vision", 0, 0, {{0, TokenKind::Text, "why", -1, -1, -1, {}}, {1, TokenKind::Generated, "so", -1, -1, -1, {}}}}};
    numbers.items[0].tokens = std::make_shared<const TokenMap>(map);
    CHECK(numbersCsv(numbers) == "token,name,row,column,value (p)\r\n0,why,,,0.5\r\n1,so,,,0.25\r\n");
}

TEST_CASE("JSON writes NaN as null and files appear complete") {
    const test::TemporaryFolder folder;
    const Numbers numbers = numbersOf(1);
    for (const char* name : {"x.json", "x.csv", "x.npz", "x.safetensors"}) {
        writeNumbers(folder.path() / name, numbers);
        CHECK(std::filesystem::file_size(folder.path() / name) > 50);
    }
    const auto json = nlohmann::json::parse(test::readBytes(folder.path() / "x.json"));
    CHECK(json["items"][0]["findings"][2]["data"]["values"][3].is_null());
    CHECK_THROWS_AS(writeNumbers(folder.path() / "x.png", numbers), Error);
}

TEST_CASE("findings are subtracted where their shapes agree") {
    const std::vector<Finding> a = oneOfEach();
    std::vector<Finding> b = oneOfEach();
    std::get<Grid>(b[2].data).values[0] = 1.25F;
    const Finding change = difference(a[2], b[2]);
    CHECK(std::get<Grid>(change.data).values[0] == 1.0F);
    CHECK(std::get<Grid>(change.data).signedValues);
    CHECK(change.note.empty());
    CHECK(difference(a[2], a[2]).note == "No difference: A and B have the same values.");
    CHECK(difference(a[0], a[0]).note == "No difference: A and B have the same values.");
    CHECK(std::get<PairMatrix>(difference(a[1], b[1]).data).source->tile(1, 2, 0, 3).at(0, 2) == 0.0F);
    CHECK_THROWS_AS(difference(a[0], b[1]), Error);
    CHECK_THROWS_AS(difference(a[3], b[3]), Error);
    std::get<TokenScores>(b[0].data).values.push_back(1);
    CHECK_THROWS_AS(difference(a[0], b[0]), Error);
}

TEST_CASE("tables stand beside each other row by row, whatever their order") {
    const auto tableOf = [](std::vector<std::vector<Table::Cell>> rows) {
        return Finding{"table", "", "", "", Table{{{"rank", ""}, {"step", ""}, {"chosen", ""}, {"token", ""}, {"probability", "probability"}},
                                                  std::move(rows)}};
    };
    const Finding a = tableOf({{1.0, 0.0, "yes", "red", 0.75}, {2.0, 0.0, "", "green", 0.25}, {3.0, 1.0, "yes", "star", 0.5}});
    const Finding b = tableOf({{1.0, 0.0, "yes", "green", 0.5}, {2.0, 0.0, "", "red", 0.25}, {3.0, 0.0, "", "blue", 0.125}});
    const Table change = std::get<Table>(difference(a, b).data);
    REQUIRE(change.columns.size() == 5);
    CHECK(change.columns[2].name == "probability, A");
    CHECK(change.columns[4].unit == "probability");
    REQUIRE(change.rows.size() == 4);
    CHECK(change.rows[0] == std::vector<Table::Cell>{0.0, "green", 0.25, 0.5, 0.25});
    CHECK(change.rows[1] == std::vector<Table::Cell>{0.0, "red", 0.75, 0.25, -0.5});
    CHECK(change.rows[2] == std::vector<Table::Cell>{0.0, "blue", "", 0.125, ""});
    CHECK(change.rows[3] == std::vector<Table::Cell>{1.0, "star", 0.5, "", ""});
    Finding other = tableOf({});
    std::get<Table>(other.data).columns[4].name = "mass";
    CHECK_THROWS_AS(difference(a, other), Error);
    std::get<Table>(other.data).columns[4] = {"probability", ""};
    CHECK_THROWS_AS(difference(other, other), Error);
}

TEST_CASE("tables that are sorted by their values are joined by what their rows name") {
    const auto tableOf = [](std::vector<std::vector<Table::Cell>> rows) {
        return Table{{{"token", ""}, {"kind", ""}, {"found by", ""}, {"sink", ""}, {"mass", "probability"}}, std::move(rows)};
    };
    const Table a = tableOf({{0.0, "special", "mass", "yes", 0.5}, {1.0, "image", "", "no", 0.25}, {2.0, "image", "", "no", 0.125}});
    const Table b = tableOf({{2.0, "image", "mass", "yes", 0.75}, {0.0, "special", "", "no", 0.25}, {3.0, "image", "", "no", 0.125}});
    const JoinedRows joined = joinedRows(a, b);
    CHECK(joined.keys == std::vector<std::size_t>{0});
    REQUIRE(joined.rows.size() == 4);
    CHECK(joined.rows[0].a == 2);
    CHECK(joined.rows[0].b == 0);
    CHECK(joined.rows[1].a == 0);
    CHECK(!joined.rows[2].a);
    CHECK(joined.rows[3].a == 1);
    CHECK(!joined.rows[3].b);
    const Table change = difference(a, b);
    // Texts that are results go with the row, they do not keep it from its partner.
    CHECK(change.rows[0] == std::vector<Table::Cell>{2.0, "image", "mass", 0.125, 0.75, 0.625});
    CHECK(change.rows[1] == std::vector<Table::Cell>{0.0, "special", "", 0.5, 0.25, -0.25});

    const auto perHead = [](std::vector<std::vector<Table::Cell>> rows) {
        return Table{{{"rank", ""}, {"layer", ""}, {"head", ""}, {"mass", "probability"}}, std::move(rows)};
    };
    const Table heads = difference(perHead({{1.0, 0.0, 1.0, 0.5}, {2.0, 1.0, 0.0, 0.25}}), perHead({{1.0, 1.0, 0.0, 0.75}, {2.0, 0.0, 1.0, 0.25}}));
    CHECK(heads.rows[0] == std::vector<Table::Cell>{1.0, 0.0, 0.25, 0.75, 0.5});
    // Without names of any kind the first column counts; with texts alone, they do.
    const Table plain{{{"fixation", ""}, {"x", "px"}}, {{1.0, 4.0}, {2.0, 8.0}}};
    const Table fewer{{{"fixation", ""}, {"x", "px"}}, {{2.0, 9.0}}};
    CHECK(difference(plain, fewer).rows[0] == std::vector<Table::Cell>{2.0, 8.0, 9.0, 1.0});
    const Table parts{{{"share", "share"}, {"part", ""}}, {{0.25, "x"}, {0.75, "y"}}};
    const Table turned{{{"share", "share"}, {"part", ""}}, {{0.5, "y"}, {0.5, "x"}}};
    CHECK(difference(parts, turned).rows[0] == std::vector<Table::Cell>{"y", 0.75, 0.5, -0.25});
}
