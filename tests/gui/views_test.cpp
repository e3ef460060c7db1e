#include <algorithm>

#include "fovea/seen_pictures.h"
#include "gui/window_fixture.h"
#include "panels/legend_view.h"
#include "panels/status_strip.h"
#include "views/hit_finder.h"
#include "views/input_picture.h"
#include "views/read_out.h"

namespace fovea::gui {

namespace {

/// A prompt with one picture of 400 x 200 that the model saw as 1 x 2 tiles and an overview.
struct TiledInput : ModelInput, SeenPictures {
    TiledInput() {
        StageTokens text;
        text.stage = "text";
        for (int i = 0; i < 3; ++i) {
            Token token;
            token.index = i;
            token.kind = i == 0 ? TokenKind::Text : TokenKind::Image;
            token.text = i == 0 ? "Look" : "";
            if (i > 0) token.image = 0, token.rect = {200.0 * (i - 1), 0, 200, 200};
            text.tokens.push_back(token);
        }
        TokenMap map;
        map.stages.push_back(text);
        map.images.push_back({400, 200, 0, 0, {}});
        maps.push_back(map);
        originals.emplace_back(400, 200);
        seen.emplace_back(100, 100);
        VisionImage image;
        image.width = 400, image.height = 200;
        image.tileRows = 1, image.tileColumns = 2;
        image.tiles = {tileOf(0, 200), tileOf(100, 200), tileOf(0, 100)};
        image.tiles[1].column = 1;
        image.tiles[2].overview = true;
        pictures.push_back(image);
        windows.emplace_back();
    }
    /// 100 x 100 pixels from column `left` on of the original resized to `resized` x 100.
    static VisionTile tileOf(int left, int resized) {
        VisionTile tile;
        tile.seen = Pixels(100, 100);
        tile.transform = {400, 200, resized, 100, left, 0, 100, 100, 100, 100, {}};
        return tile;
    }
};

std::vector<std::string> textsOf(const viz::Picture& picture) {
    std::vector<std::string> texts;
    for (const viz::Layer& layer : picture.layers)
        for (const viz::Mark& mark : layer.marks)
            if (const auto* text = std::get_if<viz::TextMark>(&mark)) texts.push_back(text->text);
    return texts;
}

viz::Picture gridPicture() {
    viz::Picture picture;
    picture.width = picture.height = 100;
    for (int r = 0; r < 3; ++r)
        for (int c = 0; c < 3; ++c)
            picture.hits.push_back(
                {{10.0 + 20 * c, 10.0 + 20 * r, 20, 20}, 3 * r + c, "vision", 0.1 * (3 * r + c), {}, {}});
    picture.hits.push_back({{0, 0, 100, 100}, -1, {}, NAN, "frame", {}});
    return picture;
}

}  // namespace

TEST_CASE("hits: the smallest area wins, arrows find neighbours, boxes find tokens") {
    const viz::Picture picture = gridPicture();
    CHECK(hitAt(picture, {31, 31}) == 4);
    CHECK(hitAt(picture, {90, 90}) == 9);
    CHECK(hitAt(picture, {200, 90}) == -1);
    CHECK(neighbourOf(picture, 4, 1, 0) == 5);
    CHECK(neighbourOf(picture, 4, 0, -1) == 1);
    CHECK(neighbourOf(picture, 0, -1, 0) == 0);
    CHECK(tokensIn(picture, {5, 5, 45, 25}) == std::set<int>{0, 1});
    CHECK(hitOfToken(picture, "vision", 7) == 7);
    CHECK(hitOfToken(picture, "text", 7) == -1);
}

TEST_CASE("the read-out names token, text, place, pixels, raw value and rank") {
    viz::Picture picture = gridPicture();
    TokenMap map;
    map.stages.push_back({"vision", 3, 3, {}});
    for (int i = 0; i < 9; ++i) {
        Token token;
        token.index = i;
        token.row = i / 3;
        token.column = i % 3;
        token.rect = {10.0 * token.column, 10.0 * token.row, 10, 10};
        map.stages[0].tokens.push_back(token);
    }
    map.stages[0].tokens[5].text = "red";
    CHECK(readOut(picture, 5, &map).toStdString() ==
          "token 5   \"red\"   row 1 col 2   px 20,10-30,20   0.5 (4th)");
    CHECK(readOut(picture, 8, nullptr).toStdString() == "token 8   0.8 (1st)");
    CHECK(readOut(picture, 9, &map).toStdString() == "frame");
    CHECK(readOut(picture, -1, &map).isEmpty());
    // A matrix cell belongs to two tokens and to no pixels: its label says both, and the unit.
    picture.hits.push_back({{0, 0, 5, 5}, 5, "vision", 0.25, "query 1, key 5: 0.25 probability", {}});
    CHECK(readOut(picture, 10, &map).toStdString() == "query 1, key 5: 0.25 probability");
}

TEST_CASE("the input picture shows all tiles in their grid with labels, and the overview beside them") {
    TiledInput input;
    const viz::Picture picture = pictureOfInput(input, 0);
    const std::vector<std::string> texts = textsOf(picture);
    for (const char* wanted : {"What the model saw  1 x 2 tiles of 100 x 100 and an overview", "row 1, col 1", "row 1, col 2", "overview"})
        CHECK_MESSAGE(std::count(texts.begin(), texts.end(), wanted) == 1, wanted);
    const auto tile = [&](const std::string& label) {
        for (const viz::HitArea& hit : picture.hits)
            if (hit.label == label) return hit;
        FAIL(label);
        return viz::HitArea();
    };
    CHECK(tile("row 1, col 1").source == Rect{0, 0, 200, 200});
    CHECK(tile("row 1, col 2").source == Rect{200, 0, 200, 200});
    CHECK(tile("overview").source == Rect{0, 0, 400, 200});
    CHECK(tile("row 1, col 1").rect.x + tile("row 1, col 1").rect.width < tile("row 1, col 2").rect.x);
    for (const viz::HitArea& hit : picture.hits) {
        CHECK(hit.rect.x + hit.rect.width <= picture.width);
        CHECK(hit.rect.y + hit.rect.height <= picture.height);
    }
    input.pictures[0].tileRows = input.pictures[0].tileColumns = 0;
    const std::vector<std::string> frames = textsOf(pictureOfInput(input, 0));
    CHECK(std::count(frames.begin(), frames.end(), "frame 2") == 1);
}

TEST_CASE("windows of a vision tower are outlined, with the blocks that look within them and those that do not") {
    TiledInput input;
    input.pictures[0].tiles.resize(1);
    input.windows[0] = {{0, 0, 200, 200}, {200, 0, 200, 200}};
    ModelSpec spec;
    for (int block = 0; block < 5; ++block) {
        AttentionSite site;
        site.stage = "vision";
        site.block = block;
        site.layout = block == 3 ? SiteLayout::Dense : SiteLayout::Windows;
        spec.sites.push_back(site);
    }
    const viz::Picture picture = pictureOfInput(input, 0, &spec);
    const std::vector<std::string> texts = textsOf(picture);
    CHECK(std::count(texts.begin(), texts.end(),
                     "Yellow: windows. Blocks 0-2, 4 of vision look within one window only; blocks 3 over the whole picture.") == 1);
    const std::size_t with = picture.layers[2].marks.size();
    input.windows[0].clear();
    CHECK(pictureOfInput(input, 0, &spec).layers[2].marks.size() + 2 == with);
}

TEST_CASE("the input picture shows the original, what the model saw, its grid, and pixels nobody reads") {
    FakeDriver driver(std::make_shared<FakeScript>());
    const auto input = driver.input({}, {});
    const viz::Picture picture = pictureOfInput(*input, 0);
    // Both panels have one hit per grid cell, and the class token has a chip.
    CHECK(picture.hits.size() == 2 * 14 * 14 + 1);
    int unread = 0;
    for (const viz::Layer& layer : picture.layers)
        if (layer.name == "areas") unread = static_cast<int>(layer.marks.size());
    CHECK(unread == 2);
    for (const viz::HitArea& hit : picture.hits) {
        CHECK(hit.rect.x >= 0);
        CHECK(hit.rect.x + hit.rect.width <= picture.width);
        CHECK(hit.rect.y + hit.rect.height <= picture.height);
    }
}

TEST_CASE("the input picture of a prompt shows its tokens in order, the picture's as one block") {
    const auto script = std::make_shared<FakeScript>();
    script->speaks = true;
    FakeDriver driver(script);
    const auto input = driver.input({}, {});
    const viz::Picture picture = pictureOfInput(*input, 0);
    const auto named = [&](const std::string& label) {
        return std::count_if(picture.hits.begin(), picture.hits.end(),
                             [&](const viz::HitArea& hit) { return hit.label == label; });
    };
    CHECK(picture.hits.size() == 14 * 14 + 7);
    CHECK(named(" is") == 1);
    CHECK(named("tokens 2 to 197: [image 14x14]") == 1);
    for (const viz::HitArea& hit : picture.hits) {
        CHECK(hit.stage == "text");
        CHECK(hit.rect.x + hit.rect.width <= picture.width);
        CHECK(hit.rect.y + hit.rect.height <= picture.height);
    }
}

TEST_CASE_FIXTURE(WindowFixture, "zooming keeps the point under the pointer, 0 fits again") {
    openDemo();
    const QPointF at(200, 150);
    const QPointF before = view().transform().inverted().map(at);
    view().zoomBy(2.5, at);
    const QPointF after = view().transform().inverted().map(at);
    CHECK(std::hypot(before.x() - after.x(), before.y() - after.y()) < 1e-6);
    CHECK(view().transform().m11() > 1);
    QTest::keyClick(&view(), Qt::Key_0);
    const QRectF whole =
        view().transform().mapRect(QRectF(0, 0, view().picture()->width, view().picture()->height));
    CHECK(QRectF(view().rect()).contains(whole));
}

TEST_CASE_FIXTURE(WindowFixture, "the view paints the picture it was given") {
    openDemo();
    settle();
    const QImage shot = view().grab().toImage();
    // The bump of the class token is red; the corner outside of the picture is the view's ground.
    const QColor hot = shot.pixelColor(placeOf(1 + 7 * 14 + 5) * shot.devicePixelRatio());
    CHECK(hot.red() > 180);
    CHECK(hot.blue() < 120);
    CHECK(shot.pixelColor(4, 4) == view().palette().color(QPalette::Midlight));
}

TEST_CASE("remaining time is told in words, and only when it can be known") {
    CHECK(remainingTime(0.01, 10000).isEmpty());
    CHECK(remainingTime(0.5, 100).isEmpty());
    CHECK(remainingTime(0.5, 4000).toStdString() == "4 s");
    CHECK(remainingTime(0.25, 41000).toStdString() == "2 min 3 s");
}

}  // namespace fovea::gui
