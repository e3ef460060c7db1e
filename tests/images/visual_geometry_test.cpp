// Where tokens lie in the original, without trusting the transforms: change the pixels of one token's
// rectangle and see that its cell of its tile changes and nothing else of that tile and of the other crops.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "fovea/error.h"
#include "fovea/visual_processor.h"
#include "images/visual_cases.h"

using namespace fovea;
using namespace fovea::test;
using nlohmann::json;

namespace {

struct Family {
    const char* modelType;
    json files;
    int cell;      // pixels of a token in its tile
    double reach;  // of all filters together, in pixels of the tile
};

std::vector<Family> families() {
    const json square = {{"height", 64}, {"width", 64}};
    const json tower = {{"vision_config", {{"patch_size", 16}}}};
    const json grids = json::parse("[[64,128],[128,64],[128,128],[64,192],[192,64]]");
    const json limits = {{"shortest_edge", 64 * 64}, {"longest_edge", 192 * 192}};
    return {
        {"llava",
         {{"image", {{"size", {{"shortest_edge", 64}}}, {"crop_size", 64}}}, {"config", tower}},
         16,
         2},
        {"llava",
         {{"image",
           {{"image_processor_type", "LlavaImageProcessor"},
            {"do_pad", true},
            {"size", {{"shortest_edge", 64}}},
            {"crop_size", 64}}},
          {"config", tower}},
         16,
         2},
        {"paligemma", {{"image", {{"size", square}}}, {"config", tower}}, 16, 2},
        {"llava_next",
         {{"image", {{"size", square}, {"crop_size", 64}, {"image_grid_pinpoints", grids}}},
          {"config", tower}},
         16,
         2},
        // Tiles that are resized once more: 96 pixels to 64.
        {"llava_next",
         {{"image",
           {{"size", square},
            {"crop_size", 96},
            {"do_center_crop", false},
            {"image_grid_pinpoints", json::parse("[[96,192],[192,96],[192,192]]")}}},
          {"config", tower}},
         16,
         4},
        {"llava_onevision",
         {{"image", {{"size", square}, {"image_grid_pinpoints", grids}}},
          {"config", tower},
          {"processor", {{"num_image_tokens", 16}}}},
         16,
         2},
        {"idefics3",
         {{"image", {{"size", {{"longest_edge", 180}}}, {"max_image_size", {{"longest_edge", 64}}}}},
          {"processor", {{"image_seq_len", 4}}},
          {"config", tower}},
         32,
         9},
        {"qwen2_vl", {{"image", {{"size", limits}, {"patch_size", 16}}}}, 32, 2},
        {"qwen3_vl", {{"image", {{"size", limits}, {"patch_size", 16}}}}, 32, 2},
        {"internvl",
         {{"image", {{"size", square}}}, {"processor", {{"image_seq_length", 4}}}, {"config", tower}},
         32,
         2},
        {"gemma3",
         {{"image", {{"size", square}, {"do_pan_and_scan", true}, {"pan_and_scan_min_crop_size", 40}}},
          {"processor", {{"image_seq_length", 4}}},
          {"config", tower}},
         32,
         1},
    };
}

Pixels smooth(int width, int height) {
    Pixels p(width, height);
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
            for (int c = 0; c < 3; ++c)
                p.at(x, y)[c] = static_cast<std::uint8_t>(60 + (x * 3 + y * 5 + c * 40) % 60);
    return p;
}

// The rectangle without a margin, in whole pixels; false when nothing is left.
bool repaint(Pixels& picture, const Rect& r, double marginX, double marginY) {
    const int left = static_cast<int>(std::ceil(r.x + marginX));
    const int right = static_cast<int>(std::floor(r.x + r.width - marginX));
    const int top = static_cast<int>(std::ceil(r.y + marginY));
    const int bottom = static_cast<int>(std::floor(r.y + r.height - marginY));
    for (int y = top; y < bottom; ++y)
        for (int x = left; x < right; ++x) picture.at(x, y)[1] = 255;
    return left < right && top < bottom;
}

struct Changes {
    std::size_t inside = 0;
    std::size_t outside = 0;
};

Changes changesIn(const Pixels& before, const Pixels& after, const Rect& cell) {
    Changes changes;
    for (int y = 0; y < before.height; ++y)
        for (int x = 0; x < before.width; ++x) {
            if (before.at(x, y)[1] == after.at(x, y)[1]) continue;
            ++(cell.contains(x, y) ? changes.inside : changes.outside);
        }
    return changes;
}

}  // namespace

TEST_CASE("changing a token's rectangle changes its cell of its tile and no other") {
    for (const Family& family : families()) {
        const auto processor = visualProcessor(family.files, family.modelType);
        std::size_t moved = 0;
        for (const auto& [width, height] :
             {std::pair{150, 150}, {333, 170}, {120, 290}, {41, 97}, {600, 200}}) {
            const Pixels picture = smooth(width, height);
            const VisionImage image = processor->process(std::span(&picture, 1)).images[0];
            const auto items = imageLayout(processor->layout(), image);
            for (std::size_t i = 0; i < items.size(); i += 1 + items.size() / 25) {
                const LayoutItem& item = items[i];
                if (item.kind != LayoutItem::Kind::Patch || item.rect.empty()) continue;
                const VisionTile& tile = image.tiles[static_cast<std::size_t>(item.tile)];
                const double side = family.cell;
                const Rect cell{item.column * side, item.row * side, side, side};
                // What the filters read beside the rectangle: their reach at the scale of the tile, or of one
                // original pixel where the tile is enlarged.
                const Rect whole = tile.transform.toOriginal(cell);
                const double marginX = family.reach * std::max(1.0, whole.width / side) + 1;
                const double marginY = family.reach * std::max(1.0, whole.height / side) + 1;
                Pixels changed = picture;
                if (!repaint(changed, item.rect, marginX, marginY)) continue;
                const VisionImage after = processor->process(std::span(&changed, 1)).images[0];
                CAPTURE(family.modelType);
                CAPTURE(width);
                CAPTURE(i);
                for (std::size_t t = 0; t < image.tiles.size(); ++t) {
                    const bool own = static_cast<int>(t) == item.tile;
                    if (!own && image.tiles[t].overview != tile.overview) continue;
                    const Changes c =
                        changesIn(image.tiles[t].seen, after.tiles[t].seen, own ? cell : Rect{});
                    CHECK(c.outside == 0);
                    if (own) CHECK(c.inside > 0);
                }
                ++moved;
            }
        }
        CAPTURE(family.modelType);
        CHECK(moved >= 10);
    }
}

TEST_CASE("tokens of one view cover what it shows of the picture once") {
    for (const Family& family : families()) {
        const auto processor = visualProcessor(family.files, family.modelType);
        for (const auto& [width, height] : {std::pair{150, 150}, {333, 170}, {120, 290}}) {
            const Pixels picture = smooth(width, height);
            const VisionImage image = processor->process(std::span(&picture, 1)).images[0];
            std::vector<double> area(image.tiles.size());
            for (const LayoutItem& item : imageLayout(processor->layout(), image)) {
                if (item.kind == LayoutItem::Kind::Patch)
                    area[static_cast<std::size_t>(item.tile)] += item.rect.width * item.rect.height;
            }
            for (std::size_t t = 0; t < image.tiles.size(); ++t) {
                const Rect read = image.tiles[t].transform.read();
                // Rows and columns of the unpadded grid may leave out a part of a token beside the padding.
                const double slack = image.tileRows > 0 && !image.tiles[t].overview ? 0.2 : 1e-9;
                CAPTURE(family.modelType);
                CAPTURE(t);
                CHECK(area[t] == doctest::Approx(read.width * read.height).epsilon(slack));
            }
        }
    }
}

TEST_CASE("steps of a transform one after another are one transform") {
    PixelTransform first;  // 200 x 100, columns 20..119 to 50 x 50
    first.originalWidth = 200;
    first.originalHeight = 100;
    first.source = {20, 0, 100, 100};
    first.resizedWidth = first.resizedHeight = 50;
    first.shownWidth = first.shownHeight = first.inputWidth = first.inputHeight = 50;
    CHECK(first.read() == Rect{20, 0, 100, 100});
    CHECK(first.toOriginal({10, 10, 5, 5}) == Rect{40, 20, 10, 10});
    CHECK(first.toInput({40, 20, 10, 10}) == Rect{10, 10, 5, 5});
    CHECK(first.toInput({0, 0, 200, 100}) == Rect{0, 0, 50, 50});
    PixelTransform crop = first;  // the middle 30 x 30 of those
    crop.source = {};
    crop.originalWidth = crop.originalHeight = 50;
    crop.left = crop.top = 10;
    crop.shownWidth = crop.shownHeight = crop.inputWidth = crop.inputHeight = 30;
    const PixelTransform cropped = first.then(crop);
    CHECK(cropped.read() == Rect{40, 20, 60, 60});
    CHECK(cropped.resizedWidth == 50);
    PixelTransform grow = crop;  // and that at three times the size
    grow.originalWidth = grow.originalHeight = 30;
    grow.left = grow.top = 0;
    grow.resizedWidth = grow.resizedHeight = grow.shownWidth = grow.shownHeight = 90;
    grow.inputWidth = grow.inputHeight = 90;
    const PixelTransform grown = cropped.then(grow);
    CHECK(grown.read() == Rect{40, 20, 60, 60});
    CHECK(grown.toOriginal({0, 0, 3, 3}) == Rect{40, 20, 2, 2});
    // A source beyond the picture: what lies there is padding.
    PixelTransform padded = first;
    padded.source = {-50, -100, 300, 300};
    CHECK(padded.read() == Rect{0, 0, 200, 100});
    CHECK(padded.toOriginal({0, 0, 5, 5}).empty());
    CHECK(padded.unread().empty());
}
