#include "fovea/scenes.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "fovea/error.h"

using namespace fovea;

namespace {

SceneOptions options(std::uint64_t seed, int width = 224, int height = 224) {
    SceneOptions o;
    o.seed = seed;
    o.width = width;
    o.height = height;
    return o;
}

// FNV-1a over the picture and the owner map.
std::uint64_t fingerprint(const Scene& scene) {
    std::uint64_t h = 0xCBF29CE484222325ull;
    const auto add = [&h](unsigned byte) { h = (h ^ (byte & 255u)) * 0x100000001B3ull; };
    for (const std::uint8_t v : scene.image.rgb) add(v);
    for (const std::int16_t v : scene.owner) add(static_cast<unsigned>(v + 1));
    return h;
}

}  // namespace

TEST_CASE("A seed gives the same bytes on every platform and thread") {
    const std::pair<SceneOptions, std::uint64_t> golden[] = {
        {options(0), 0x58AD5915A38AD322ull},          {options(1), 0xAD650668E7848BB9ull},
        {options(7), 0x1D6114B6CEB2C09Cull},          {options(123456789), 0xCAC1AB2702E5F961ull},
        {options(~0ull), 0x6194113281EE6F8Cull},      {options(5, 97, 64), 0xEA1B00F20677DDCFull},
        {options(5, 640, 480), 0xEFDD3B2170905146ull}};
    for (const auto& [o, expected] : golden) {
        CAPTURE(o.seed);
        std::uint64_t elsewhere = 0;
        std::jthread([&, copy = o] { elsewhere = fingerprint(makeScene(copy)); }).join();
        const std::uint64_t here = fingerprint(makeScene(o));
        CHECK(here == expected);
        CHECK(elsewhere == here);
    }
}

TEST_CASE("Different seeds differ, and every kind of thing turns up") {
    std::set<std::uint64_t> prints;
    std::set<int> shapes, colors, textures, sizes, backgrounds, counts;
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        const Scene scene = makeScene(options(seed, 96, 96));
        prints.insert(fingerprint(scene));
        backgrounds.insert(static_cast<int>(scene.background));
        counts.insert(static_cast<int>(scene.objects.size()));
        for (const SceneObject& o : scene.objects) {
            shapes.insert(static_cast<int>(o.shape));
            colors.insert(static_cast<int>(o.color));
            textures.insert(static_cast<int>(o.texture));
            sizes.insert(static_cast<int>(o.size));
        }
    }
    CHECK(prints.size() == 150);
    CHECK(shapes.size() == kSceneShapes);
    CHECK(colors.size() == kSceneColors);
    CHECK(textures.size() == kSceneTextures);
    CHECK(sizes.size() == 3);
    CHECK(backgrounds.size() == 5);
    CHECK(counts == std::set<int>{4, 5, 6, 7, 8, 9});
}

TEST_CASE("The truth agrees with the owner map") {
    int occluded = 0;
    for (std::uint64_t seed = 1000; seed < 1060; ++seed) {
        CAPTURE(seed);
        const Scene scene = makeScene(options(seed));
        REQUIRE(scene.owner.size() == 224u * 224u);
        std::vector<int> pixels(scene.objects.size());
        for (const std::int16_t owner : scene.owner) {
            REQUIRE(owner >= -1);
            REQUIRE(owner < static_cast<int>(scene.objects.size()));
            if (owner >= 0) ++pixels[static_cast<std::size_t>(owner)];
        }
        for (std::size_t i = 0; i < scene.objects.size(); ++i) {
            const SceneObject& o = scene.objects[i];
            CHECK(o.depth == static_cast<int>(i));
            CHECK(o.visiblePixels == pixels[i]);
            CHECK(o.visiblePixels <= o.fullPixels);
            CHECK(o.fullPixels > 200);
            occluded += o.visiblePixels < o.fullPixels;
            const auto mask = sceneMask(scene, o.depth);
            CHECK(std::count(mask.begin(), mask.end(), 1) == pixels[i]);
            int left = 224, right = -1, top = 224, bottom = -1;
            for (int p = 0; p < 224 * 224; ++p) {
                if (!mask[static_cast<std::size_t>(p)]) continue;
                left = std::min(left, p % 224), right = std::max(right, p % 224);
                top = std::min(top, p / 224), bottom = std::max(bottom, p / 224);
            }
            CHECK(o.box == SceneBox{left, top, right - left + 1, bottom - top + 1});
            CHECK(o.fullBox.x <= o.box.x);
            CHECK(o.fullBox.width >= o.box.width);
        }
        // The frontmost object is covered by nothing.
        CHECK(scene.objects.back().visiblePixels == scene.objects.back().fullPixels);
        const SceneObject& target = scene.objects[static_cast<std::size_t>(scene.target)];
        CHECK(target.visiblePixels >= 0.7 * target.fullPixels);
    }
    CHECK(occluded > 20);
}

TEST_CASE("Pictures show what the truth says") {
    SceneOptions o = options(3);
    o.mark = SceneMark::None;
    o.clutter = SceneClutter::None;
    int near = 0, all = 0;
    for (o.seed = 0; o.seed < 40; ++o.seed) {
        const Scene scene = makeScene(o);
        for (const SceneObject& object : scene.objects) {
            if (object.texture != SceneTexture::Plain || object.color != SceneColor::Red) continue;
            for (std::size_t p = 0; p < scene.owner.size(); ++p) {
                if (scene.owner[p] != object.depth) continue;
                const std::uint8_t* rgb = scene.image.rgb.data() + 3 * p;
                ++all;
                near += rgb[0] > 2 * rgb[1] && rgb[0] > 2 * rgb[2];
            }
        }
    }
    REQUIRE(all > 1000);
    CHECK(near > 0.97 * all);
}

TEST_CASE("The mark surrounds the target and changes nothing else") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        SceneOptions plain = options(seed);
        plain.mark = SceneMark::None;
        const Scene with = makeScene(options(seed)), without = makeScene(plain);
        CHECK(with.objects == without.objects);
        CHECK(with.owner == without.owner);
        CHECK(with.target == without.target);
        const SceneBox box = with.objects[static_cast<std::size_t>(with.target)].fullBox;
        int changed = 0;
        for (int y = 0; y < 224; ++y) {
            for (int x = 0; x < 224; ++x) {
                if (std::equal(with.image.at(x, y), with.image.at(x, y) + 3, without.image.at(x, y)))
                    continue;
                ++changed;
                CHECK(x >= box.x - 9);
                CHECK(x < box.x + box.width + 9);
                CHECK(y >= box.y - 9);
                CHECK(y < box.y + box.height + 9);
            }
        }
        CHECK(changed > 80);
        CHECK(with.questions.front().kind == "marked");
        for (const SceneQuestion& q : without.questions) CHECK(q.kind != "marked");
    }
}

TEST_CASE("Layout scales with the picture") {
    const Scene small = makeScene(options(21, 112, 112)), large = makeScene(options(21, 448, 448));
    REQUIRE(small.objects.size() == large.objects.size());
    for (std::size_t i = 0; i < small.objects.size(); ++i) {
        CHECK(small.objects[i].shape == large.objects[i].shape);
        CHECK(small.objects[i].centerX * 4 == doctest::Approx(large.objects[i].centerX).epsilon(0.001));
        CHECK(small.objects[i].fullPixels * 16 == doctest::Approx(large.objects[i].fullPixels).epsilon(0.06));
    }
}

TEST_CASE("Odd sizes work and impossible ones are refused") {
    for (const auto& [w, h] : {std::pair{640, 480}, {64, 64}, {65, 301}, {1000, 64}}) {
        const Scene scene = makeScene(options(9, w, h));
        CHECK(scene.image.width == w);
        CHECK(scene.image.height == h);
        CHECK(scene.owner.size() == static_cast<std::size_t>(w) * static_cast<std::size_t>(h));
        for (const SceneObject& o : scene.objects) CHECK(o.fullPixels > 20);
    }
    for (const auto& [w, h] : {std::pair{1, 1}, {0, 224}, {-5, 224}, {63, 224}, {224, 4097}}) {
        CHECK_THROWS_AS(makeScene(options(9, w, h)), Error);
    }
    SceneOptions crowd = options(4);
    crowd.minObjects = crowd.maxObjects = 24;
    CHECK(makeScene(crowd).objects.size() == 24);
    crowd.maxObjects = 25;
    CHECK_THROWS_AS(makeScene(crowd), Error);
    crowd.minObjects = 0;
    crowd.maxObjects = 3;
    CHECK_THROWS_AS(makeScene(crowd), Error);
}

TEST_CASE("The truth file is JSON that gives the masks back") {
    const Scene scene = makeScene(options(77, 320, 200));
    const auto truth = nlohmann::json::parse(sceneTruthJson(scene));
    CHECK(truth["seed"] == 77);
    CHECK(truth["width"] == 320);
    CHECK(truth["target_class"] == sceneClassName(sceneLabel(scene)));
    CHECK(truth["depth_order"].front() == scene.objects.size() - 1);
    REQUIRE(truth["objects"].size() == scene.objects.size());
    CHECK(truth["questions"].size() == scene.questions.size());
    for (std::size_t i = 0; i < scene.objects.size(); ++i) {
        const auto& object = truth["objects"][i];
        std::vector<std::uint8_t> mask;
        std::uint8_t value = 0;
        for (const int run : object["mask"]) {
            mask.insert(mask.end(), static_cast<std::size_t>(run), value);
            value = 1 - value;
        }
        CHECK(mask == sceneMask(scene, static_cast<int>(i)));
        CHECK(object["color"] == std::string(sceneName(scene.objects[i].color)));
        CHECK(object["box"][2] == scene.objects[i].box.width);
    }
    CHECK(sceneRunLengths({1, 1, 0}) == std::vector<int>{0, 2, 1});
    CHECK(sceneRunLengths({0, 0, 1}) == std::vector<int>{2, 1});
}

TEST_CASE("Coverage of a grid sums to the visible pixels") {
    const Scene scene = makeScene(options(12, 230, 150));
    for (const auto& [w, h] : {std::pair{14, 14}, {1, 1}, {230, 150}, {16, 10}}) {
        const auto coverage = sceneCoverage(scene, scene.target, w, h);
        REQUIRE(coverage.size() == static_cast<std::size_t>(w * h));
        CHECK(*std::min_element(coverage.begin(), coverage.end()) >= 0.0f);
        CHECK(*std::max_element(coverage.begin(), coverage.end()) <= 1.0f);
    }
    const auto whole = sceneCoverage(scene, scene.target, 1, 1);
    CHECK(whole[0] * 230 * 150 ==
          doctest::Approx(scene.objects[static_cast<std::size_t>(scene.target)].visiblePixels));
    CHECK_THROWS_AS(sceneCoverage(scene, scene.target, 0, 3), Error);
    CHECK_THROWS_AS(sceneMask(scene, 99), Error);
}

TEST_CASE("Questions are answered by the truth") {
    std::set<std::string> kinds, answers;
    for (std::uint64_t seed = 0; seed < 120; ++seed) {
        const Scene scene = makeScene(options(seed, 96, 96));
        for (const SceneQuestion& q : scene.questions) {
            kinds.insert(q.kind);
            for (const int i : q.objects) REQUIRE(static_cast<std::size_t>(i) < scene.objects.size());
            const auto object = [&](std::size_t k) {
                return scene.objects[static_cast<std::size_t>(q.objects.at(k))];
            };
            if (q.kind == "count") CHECK(q.answer == std::to_string(q.objects.size()));
            if (q.kind == "marked") CHECK(q.answer == sceneClassName(sceneLabel(scene)));
            if (q.kind == "color") CHECK(q.answer == std::string(sceneName(object(0).color)));
            if (q.kind == "left_of") {
                CHECK((q.answer == "yes") == (object(0).centerX < object(1).centerX));
                answers.insert("left " + q.answer);
            }
            if (q.kind == "in_front_of") {
                CHECK((q.answer == "yes") == (object(0).depth > object(1).depth));
                answers.insert("front " + q.answer);
            }
        }
    }
    CHECK(kinds == std::set<std::string>{"marked", "color", "count", "left_of", "in_front_of"});
    CHECK(answers.size() == 4);
}

TEST_CASE("Class names") {
    CHECK(sceneClassName(0) == "red circle");
    CHECK(sceneClassName(sceneClass(SceneShape::Star, SceneColor::Blue)) == "blue star");
    std::set<std::string> names;
    for (int i = 0; i < kSceneClasses; ++i) names.insert(sceneClassName(i));
    CHECK(names.size() == kSceneClasses);
    CHECK_THROWS_AS(sceneClassName(kSceneClasses), Error);
    CHECK_THROWS_AS(sceneClassName(-1), Error);
}

TEST_CASE("The demo model's labels are the scenes' classes") {
    std::ifstream file(FOVEA_SOURCE_DIR "/resources/demo_models/vit-scenes/config.json");
    REQUIRE(file);
    const auto config = nlohmann::json::parse(file);
    REQUIRE(config["id2label"].size() == kSceneClasses);
    for (int i = 0; i < kSceneClasses; ++i) {
        CHECK(config["id2label"][std::to_string(i)] == sceneClassName(i));
    }
}
