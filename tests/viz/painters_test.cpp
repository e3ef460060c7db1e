#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "fovea/error.h"
#include "fovea/viz/picture_file.h"
#include "picture/text_metrics.h"
#include "viz/samples.h"

using namespace fovea;
using namespace fovea::viz;

namespace {

constexpr double slack = 1.0;  // units that an outline may stand out

bool finite(const Rect& r) {
    return std::isfinite(r.x) && std::isfinite(r.y) && std::isfinite(r.width) && std::isfinite(r.height);
}

/// Nothing is cut: every text lies inside the picture, every number is finite, every raster is complete.
void checkPicture(const Picture& picture) {
    REQUIRE(std::isfinite(picture.width));
    REQUIRE(std::isfinite(picture.height));
    CHECK(picture.width >= 100);
    CHECK(picture.width <= 60000);
    CHECK(picture.height > 0);
    std::set<std::string> names;
    for (const Layer& layer : picture.layers) {
        CHECK(names.insert(layer.name).second);
        for (const Mark& mark : layer.marks) {
            if (const auto* raster = std::get_if<RasterMark>(&mark)) {
                CHECK(finite(raster->target));
                CHECK(raster->rgba->size() == static_cast<std::size_t>(raster->width) * raster->height * 4);
            } else if (const auto* text = std::get_if<TextMark>(&mark)) {
                const double width =
                    textWidth(text->text, text->size, text->bold ? Face::Bold : Face::Regular);
                const double before = text->anchor == Anchor::Start    ? 0
                                      : text->anchor == Anchor::Middle ? width / 2
                                                                       : width;
                double left = text->position.x - before, right = left + width,
                       top = text->position.y - 0.8 * text->size,
                       bottom = text->position.y + 0.24 * text->size;
                if (text->rotation != 0) {
                    CHECK(text->rotation == -90);
                    left = text->position.x - 0.8 * text->size;
                    right = text->position.x + 0.24 * text->size;
                    bottom = text->position.y + before;
                    top = bottom - width;
                }
                INFO("text \"", text->text.substr(0, 60), "\" at ", text->position.x, ", ", text->position.y,
                     " in ", picture.width, " x ", picture.height);
                CHECK(left >= -slack);
                CHECK(right <= picture.width + slack);
                CHECK(top >= -slack);
                CHECK(bottom <= picture.height + slack);
            } else if (const auto* rect = std::get_if<RectMark>(&mark)) {
                CHECK(finite(rect->rect));
            } else if (const auto* line = std::get_if<LineMark>(&mark)) {
                for (const Point& p : line->points) CHECK((std::isfinite(p.x) && std::isfinite(p.y)));
            }
        }
    }
    for (const HitArea& hit : picture.hits) {
        CHECK(finite(hit.rect));
        CHECK_FALSE(hit.label.empty());
    }
}

std::string allText(const Picture& picture) {
    std::string all;
    for (const Layer& layer : picture.layers)
        for (const Mark& mark : layer.marks)
            if (const auto* text = std::get_if<TextMark>(&mark)) all += text->text + " ";
    return all;
}

std::vector<Display> displays() {
    std::vector<Display> out(1);
    for (const auto kind : {Scale::Kind::Picture, Scale::Kind::Log, Scale::Kind::Rank, Scale::Kind::Fixed})
        for (const auto filter : {Filter::Bilinear, Filter::Bicubic}) {
            Display display;
            display.scale = {kind, 0, 0.02, 0, 0};
            display.filter = filter;
            display.sinks = filter == Filter::Bilinear ? SinkPolicy::Mask : SinkPolicy::Redistribute;
            display.sinkTokens = {0, 3, 40, 41, 42, 100000, -7};
            display.threshold = 0.2;
            display.width = filter == Filter::Bilinear ? 300 : 900;
            out.push_back(display);
        }
    return out;
}

}  // namespace

TEST_CASE("every painter draws every kind it declares, with numbers, without, and with nothing at all") {
    const Pixels photo = samples::photo(90, 60), none, dot = samples::photo(1, 1);
    const TokenMap tokens = samples::tokens(90, 60, 14, 14), noTokens;
    const PainterCatalog catalog = makePainterCatalog();
    std::vector<Finding> findings = samples::all(tokens, 90, 60);
    const std::size_t ordinary = findings.size();
    for (Finding& finding : samples::awkward(tokens)) findings.push_back(std::move(finding));
    for (const PainterEntry& entry : catalog.all()) {
        int drawn = 0;
        for (std::size_t i = 0; i < findings.size(); ++i) {
            const std::string kind = findingKindName(findings[i]);
            if (std::find(entry.kinds.begin(), entry.kinds.end(), kind) == entry.kinds.end()) continue;
            const nlohmann::json params = checkedParams(entry.info, nullptr);
            for (const Display& display :
                 i < ordinary ? displays() : std::vector<Display>{displays().front(), displays().back()}) {
                INFO(entry.info.id, ", finding ", i, " (", kind, ")");
                const PaintInput plain{
                    findings[i], tokens, photo, display, "recipe: " + std::string(400, 'r'), {5, 9999}, {}};
                const Picture picture = entry.paint(plain, params);
                checkPicture(picture);
                CHECK(svgText(picture) == svgText(entry.paint(plain, params)));
                checkPicture(entry.paint({findings[i], noTokens, none, display, "", {}, {}}, params));
                checkPicture(entry.paint({findings[i], tokens, dot, display, "r", {}, {}}, params));
                ++drawn;
            }
        }
        CHECK(drawn > 0);
    }
}

TEST_CASE("the vertical axis of a chart keeps its unit however long its name is") {
    const Pixels none;
    const TokenMap tokens;
    const PainterCatalog catalog = makePainterCatalog();
    for (const int copies : {1, 2, 40})
        for (const double width : {240.0, 640.0}) {
            Finding finding = samples::series(2, 4);
            Series& series = std::get<Series>(finding.data);
            series.yLabel.clear();
            for (int i = 0; i < copies; ++i) series.yLabel += "mean incoming attention, summed over the sinks ";
            finding.unit = "probability";
            Display display;
            display.width = width;
            const PainterEntry& entry = painterFor(catalog, finding, "chart");
            const Picture picture = entry.paint({finding, tokens, none, display, "", {}, {}}, checkedParams(entry.info, nullptr));
            INFO(copies, " at ", width);
            std::string name;
            double lowest = 0;
            int lines = 0;
            for (const Layer& layer : picture.layers)
                for (const Mark& mark : layer.marks) {
                    const auto* text = std::get_if<TextMark>(&mark);
                    if (!text || text->rotation == 0) continue;
                    ++lines;
                    name += text->text + " ";
                    const double half = textWidth(text->text, text->size) / 2;
                    CHECK(text->position.y - half >= 0);
                    CHECK(text->position.x > lowest);
                    lowest = text->position.x;
                }
            CHECK(lines <= 2);
            CHECK(name.find("(probability)") != std::string::npos);
            CHECK(name.find("mean incoming") == 0);
        }
}

TEST_CASE("fixations in the corners of a picture lie there, with their whole circles on the page") {
    const PainterCatalog catalog = makePainterCatalog();
    for (const auto& [width, height] : {std::pair(90, 60), std::pair(60, 200), std::pair(400, 20)}) {
        const Pixels photo = samples::photo(width, height);
        const TokenMap tokens = samples::tokens(width, height, 2, 2);
        const double right = width, bottom = height;
        const Finding finding{"path", "", "", "", Path{0, {{0, 0, 0, 400, 0.4}, {right, 0, 400, 400, 0.3},
                                                           {right, bottom, 800, 400, 0.2}, {0, bottom, 1200, 400, 0.1}}}};
        const PainterEntry& entry = painterFor(catalog, finding, "scanpath");
        const Picture picture = entry.paint({finding, tokens, photo, {}, "", {}, {}}, checkedParams(entry.info, nullptr));
        INFO(width, " x ", height);
        std::vector<Rect> circles;
        Rect image;
        for (const Layer& layer : picture.layers)
            for (const Mark& mark : layer.marks) {
                if (const auto* raster = std::get_if<RasterMark>(&mark)) image = raster->target;
                if (const auto* circle = std::get_if<EllipseMark>(&mark); circle && layer.name == "marks")
                    circles.push_back(circle->rect);
            }
        REQUIRE(circles.size() == 4);
        for (std::size_t i = 0; i < circles.size(); ++i) {
            const Rect& c = circles[i];
            CHECK(c.x >= 10);
            CHECK(c.y >= 10);
            CHECK(c.x + c.width <= picture.width - 10);
            CHECK(c.y + c.height <= picture.height - 5);
            const bool atRight = i == 1 || i == 2, atBottom = i >= 2;
            CHECK(c.x + c.width / 2 == doctest::Approx(image.x + (atRight ? image.width : 0)));
            CHECK(c.y + c.height / 2 == doctest::Approx(image.y + (atBottom ? image.height : 0)));
        }
    }
}

TEST_CASE("title, unit, scale, caveat and recipe stand on the picture") {
    const Pixels photo = samples::photo(90, 60);
    const TokenMap tokens = samples::tokens(90, 60, 14, 14);
    const PainterCatalog catalog = makePainterCatalog();
    for (Finding finding : samples::all(tokens, 90, 60)) {
        finding.note = "A caveat.";
        const PainterEntry& entry = painterFor(catalog, finding, "");
        Display display;
        const Picture picture = entry.paint({finding, tokens, photo, display, "the recipe", {}, {}},
                                            checkedParams(entry.info, nullptr));
        const std::string text = allText(picture);
        INFO(entry.info.id);
        CHECK(text.find(finding.title) != std::string::npos);
        CHECK(text.find("A caveat.") != std::string::npos);
        CHECK(text.find("the recipe") != std::string::npos);
        const bool bar =
            entry.info.id == "heat_overlay" || entry.info.id == "matrix" || entry.info.id == "token_strip";
        if (bar) CHECK(text.find(finding.unit + " (linked scale)") != std::string::npos);
        CHECK_FALSE(picture.hits.empty());
        display.recipe = false;
        CHECK(allText(entry.paint({finding, tokens, photo, display, "the recipe", {}, {}},
                                  checkedParams(entry.info, nullptr)))
                  .find("the recipe") == std::string::npos);
    }
}

TEST_CASE("edges of a tree stay in the picture, clear of the legend") {
    const TokenMap tokens = samples::tokens(90, 60, 14, 14);
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& entry = catalog.get("tree");
    // From corner to corner along all four sides.
    Tree tree;
    tree.stage = "vision";
    tree.tokens = {1, 14, 196, 183};
    for (const auto& parents : {std::vector<int>{1, 2, 3, -1}, std::vector<int>{-1, 0, 1, 2}}) {
        tree.parent = parents;
        const Finding finding{"tree", "Tree", "", "", tree};
        const Picture picture = entry.paint({finding, tokens, samples::photo(90, 60), {}, "", {}, {}}, checkedParams(entry.info, nullptr));
        Rect frame;
        for (const Layer& layer : picture.layers)
            for (const Mark& mark : layer.marks)
                if (const auto* raster = std::get_if<RasterMark>(&mark); raster && frame.empty()) frame = raster->target;
        REQUIRE_FALSE(frame.empty());
        int edges = 0;
        for (const Layer& layer : picture.layers)
            for (const Mark& mark : layer.marks)
                if (const auto* curve = std::get_if<CurveMark>(&mark)) {
                    ++edges;
                    for (double t = 0; t <= 1; t += 0.05) {
                        const auto at = [&](double a, double b, double c) {
                            return (1 - t) * (1 - t) * a + 2 * t * (1 - t) * b + t * t * c;
                        };
                        const double x = at(curve->a.x, curve->control.x, curve->b.x);
                        const double y = at(curve->a.y, curve->control.y, curve->b.y);
                        CHECK(x >= frame.x);
                        CHECK(x <= frame.x + frame.width);
                        CHECK(y >= frame.y);
                        CHECK(y <= frame.y + frame.height);
                    }
                }
        CHECK(edges == 3);
    }
}

TEST_CASE("values of words are no heat, and the picture says where they are drawn") {
    TokenMap tokens = samples::tokens(90, 60, 14, 14);
    StageTokens words{"words", 0, 0, {}};
    words.tokens.push_back({0, TokenKind::Text, "Look", -1, -1, -1, {}});
    tokens.stages.push_back(words);
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& entry = catalog.get("heat_overlay");
    const auto text = [&](std::vector<float> values) {
        const Finding finding{"scores", "Scores", "p", "", TokenScores{"words", std::move(values)}};
        return allText(entry.paint({finding, tokens, samples::photo(90, 60), {}, "", {}, {}}, checkedParams(entry.info, nullptr)));
    };
    CHECK(text({0.5F}).find("of tokens of words") != std::string::npos);
    CHECK(text({0.5F}).find("no values to draw") == std::string::npos);
    CHECK(text({}).find("There are no values to draw.") != std::string::npos);
}

TEST_CASE("a heat in which nothing stands out says so") {
    const TokenMap tokens = samples::tokens(90, 60, 14, 14);
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& entry = catalog.get("heat_overlay");
    Finding finding = samples::grid(14, 14, {""}, 90, 60);
    Display display;
    display.scale.linkedMaximum = 1;  // which other pictures share: the colour bar alone cannot tell
    const auto text = [&] {
        return allText(entry.paint({finding, tokens, {}, display, "", {}, {}}, checkedParams(entry.info, nullptr)));
    };
    CHECK(text().find("practically constant") == std::string::npos);
    auto& values = std::get<Grid>(finding.data).values;
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.005F * (1 + 1e-4F * static_cast<float>(i % 7));
    CHECK(text().find("The values are practically constant: 0.005") != std::string::npos);
    std::fill(values.begin(), values.end(), 0.0F);
    CHECK(text().find("All values are 0.") != std::string::npos);
    values[3] = -0.1F;
    CHECK(text().find("All values are 0.") == std::string::npos);
}

TEST_CASE("fixations at the edge of the picture stay on the page, clear of title and legend") {
    const Pixels photo = samples::photo(90, 60);
    const TokenMap tokens = samples::tokens(90, 60, 14, 14);
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& entry = catalog.get("scanpath");
    for (const double duration : {250.0, 0.0}) {
        Path path;
        for (const double x : {0.0, 45.0, 90.0})
            for (const double y : {0.0, 30.0, 60.0}) path.fixations.push_back({x, y, 0, duration, 0.1});
        Finding finding;
        finding.name = "path";
        finding.title = "A path";
        finding.data = path;
        const auto draw = [&](int until) {
            return entry.paint({finding, tokens, photo, {}, "recipe", {}, {}},
                               checkedParams(entry.info, {{"until", until}}));
        };
        const Picture picture = draw(0);
        double titleEnd = 0, legendStart = picture.height;
        const Layer* marks = nullptr;
        for (const Layer& layer : picture.layers) {
            if (layer.name == "marks") marks = &layer;
            for (const Mark& mark : layer.marks) {
                const auto* text = std::get_if<TextMark>(&mark);
                if (text && layer.name == "title") titleEnd = std::max(titleEnd, text->position.y);
                if (const auto* dot = std::get_if<EllipseMark>(&mark); dot && layer.name == "legend")
                    legendStart = std::min(legendStart, dot->rect.y);
            }
        }
        REQUIRE(marks);
        int circles = 0;
        for (const Mark& mark : marks->marks)
            if (const auto* circle = std::get_if<EllipseMark>(&mark)) {
                ++circles;
                CHECK(circle->rect.x >= 0);
                CHECK(circle->rect.x + circle->rect.width <= picture.width);
                CHECK(circle->rect.y > titleEnd);
                CHECK(circle->rect.y + circle->rect.height < legendStart);
            }
        CHECK(circles == 9);
        // Step by step nothing moves.
        const Picture some = draw(4);
        CHECK(some.hits.size() == 4);
        for (std::size_t i = 0; i < some.hits.size(); ++i) CHECK(some.hits[i].rect == picture.hits[i].rect);
        CHECK(some.width == picture.width);
        CHECK(allText(some).find("4 of 9 fixations") != std::string::npos);
    }
}

TEST_CASE("a sink that is left out is named, and a missing value has its legend") {
    const TokenMap tokens = samples::tokens(90, 60, 14, 14);
    const PainterCatalog catalog = makePainterCatalog();
    Display display;
    display.sinks = SinkPolicy::Mask;
    display.sinkTokens = {0, 45};
    for (const std::string id : {"heat_overlay", "head_grid", "token_strip"}) {
        const Finding finding = id == "token_strip" ? samples::scores(tokens, "vision")
                                                    : samples::grid(14, 14, {"L0 H0", "L0 H1"}, 90, 60);
        const PainterEntry& entry = catalog.get(id);
        const std::string text = allText(
            entry.paint({finding, tokens, {}, display, "", {}, {}}, checkedParams(entry.info, nullptr)));
        INFO(id);
        CHECK(text.find("left out") != std::string::npos);
        CHECK(text.find("\"[CLS]\" (token 0), token 45 (row 3, col 2)") != std::string::npos);
        CHECK(text.find("no value") != std::string::npos);
    }
}

TEST_CASE("a hovered cell gives token, pixels and raw value") {
    const TokenMap tokens = samples::tokens(280, 140, 14, 14);
    const Finding finding = samples::grid(14, 14, {"only"}, 280, 140);
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& entry = catalog.get("heat_overlay");
    const Pixels photo = samples::photo(280, 140);
    Display display;
    display.sinks = SinkPolicy::Mask;
    display.sinkTokens = {30};
    const Picture picture =
        entry.paint({finding, tokens, photo, display, "", {}, {}}, checkedParams(entry.info, nullptr));
    REQUIRE(picture.hits.size() == 196);
    const HitArea& hit = picture.hits[3 * 14 + 2];
    CHECK(hit.token == 45);
    CHECK(hit.stage == "vision");
    CHECK(hit.source == Rect{40, 30, 20, 10});
    CHECK(hit.value == doctest::Approx(std::get<Grid>(finding.data).at(0, 3, 2)));
    CHECK(hit.rect.width / hit.rect.height == doctest::Approx(2));
    CHECK(picture.hits[29].value == doctest::Approx(std::get<Grid>(finding.data).at(0, 2, 1)));
}

TEST_CASE("a map of pixels is read out by token") {
    const TokenMap tokens = samples::tokens(280, 140, 14, 14);
    Finding finding = samples::grid(56, 56, {"gradient"}, 280, 140);
    Grid& grid = std::get<Grid>(finding.data);
    grid.pixels = true;
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& entry = catalog.get("heat_overlay");
    const Pixels photo = samples::photo(280, 140);
    const Picture picture =
        entry.paint({finding, tokens, photo, {}, "", {}, {}}, checkedParams(entry.info, nullptr));
    REQUIRE(picture.hits.size() == 196);
    double sum = 0;
    for (int r = 12; r < 16; ++r)
        for (int c = 8; c < 12; ++c) sum += grid.at(0, r, c);
    CHECK(picture.hits[3 * 14 + 2].token == 45);
    CHECK(picture.hits[3 * 14 + 2].value == doctest::Approx(sum / 16));
}

TEST_CASE("long names of maps keep what tells them apart") {
    const TokenMap tokens = samples::tokens(90, 60, 14, 14);
    std::vector<std::string> names;
    for (const char* part : {"one", "two", "three"})
        names.push_back("vision.3.self " + std::string(part) +
                        " of a rather long name that fits over no map at all");
    const Finding finding = samples::grid(14, 14, names, 90, 60);
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& entry = catalog.get("head_grid");
    const Pixels none;
    const std::string text =
        allText(entry.paint({finding, tokens, none, {}, "", {}, {}}, checkedParams(entry.info, nullptr)));
    CHECK(text.find(" two ") != std::string::npos);
    CHECK(text.find("Full names: vision.3.self [\u2026] of a rather long name") != std::string::npos);
}

TEST_CASE("painters stop when the job is stopped") {
    const TokenMap tokens = samples::tokens(90, 60, 14, 14);
    std::stop_source stop;
    stop.request_stop();
    const PainterCatalog catalog = makePainterCatalog();
    for (const PainterEntry& entry : catalog.all())
        for (const Finding& finding : samples::all(tokens, 90, 60)) {
            if (std::find(entry.kinds.begin(), entry.kinds.end(), findingKindName(finding)) ==
                entry.kinds.end())
                continue;
            const Pixels none;
            CHECK_THROWS_AS(entry.paint({finding, tokens, none, {}, "", {}, JobContext(stop.get_token())},
                                        checkedParams(entry.info, nullptr)),
                            Cancelled);
        }
}

TEST_CASE("painters are found by kind and id, and a wrong one is a usage error") {
    const TokenMap tokens = samples::tokens(90, 60, 14, 14);
    const PainterCatalog catalog = makePainterCatalog();
    CHECK(painterFor(catalog, samples::scores(tokens, "text"), "").info.id == "token_strip");
    CHECK(painterFor(catalog, samples::scores(tokens, "text"), "heat_overlay").info.id == "heat_overlay");
    CHECK(painterFor(catalog, samples::grid(2, 2, {""}, 9, 9), "").info.id == "heat_overlay");
    CHECK_THROWS_AS(painterFor(catalog, samples::table(2), "scanpath"), Error);
    CHECK_THROWS_AS(painterFor(catalog, samples::table(2), "nothing"), Error);
    std::set<std::string> kinds;
    for (const PainterEntry& entry : catalog.all()) kinds.insert(entry.kinds.begin(), entry.kinds.end());
    CHECK(kinds.size() == 7);
}

TEST_CASE("among words, a picture is one block with the sum of its tokens") {
    TokenMap tokens;
    StageTokens text{"text", 2, 2, {}};
    text.tokens.push_back({0, TokenKind::Text, "Look", -1, -1, -1, {}});
    for (int i = 0; i < 4; ++i) text.tokens.push_back({i + 1, TokenKind::Image, "", 0, i / 2, i % 2, {}});
    text.tokens.push_back({5, TokenKind::Generated, "\u2581here", -1, -1, -1, {}});
    tokens.stages = {text};
    const Finding finding{"scores", "Scores", "probability", "", TokenScores{"text", {0.1f, 0.1f, 0.2f, 0.1f, 0.1f, 0.4f}}};
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& entry = catalog.get("token_strip");
    const Picture picture = entry.paint({finding, tokens, {}, {}, "", {}, {}}, checkedParams(entry.info, nullptr));
    CHECK(allText(picture).find("[image 2x2]") != std::string::npos);
    REQUIRE(picture.hits.size() == 3);
    CHECK(picture.hits[1].token == -1);
    CHECK(picture.hits[1].value == doctest::Approx(0.5));
    CHECK(picture.hits[2].token == 5);
    // More than the bar's end is no colour of the bar; within it, it is.
    CHECK(allText(picture).find("beyond the colour bar's end") != std::string::npos);
    Display wide;
    wide.scale.linkedMaximum = 1;
    const std::string within = allText(entry.paint({finding, tokens, {}, wide, "", {}, {}}, checkedParams(entry.info, nullptr)));
    CHECK(within.find("sum over its tokens") != std::string::npos);
    CHECK(within.find("beyond the colour bar's end") == std::string::npos);
}

TEST_CASE("the range of a finding skips what is no number") {
    const TokenMap tokens = samples::tokens(90, 60, 14, 14);
    CHECK(valueRange({"", "", "", "", TokenScores{"vision", {2, std::nanf(""), -1, INFINITY}}}) ==
          std::pair(-1.0, 2.0));
    CHECK(valueRange({"", "", "", "", Grid{}}) == std::pair(0.0, 0.0));
    CHECK(valueRange(samples::matrix("vision", 50)).second > 0.1);
}
