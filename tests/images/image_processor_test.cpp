#include "fovea/image_processor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "fovea/error.h"
#include "fovea/ppm.h"
#include "images/fixtures.h"
#include "io/pil_resize.h"

#ifndef _WIN32
#include <sys/resource.h>
#endif

using namespace fovea;
using nlohmann::json;

namespace {

struct Fixtures {
    std::filesystem::path folder = test::fixtureFolder("make_processor_fixtures.py");
    json index = test::readJson(folder / "index.json");
    std::vector<std::uint8_t> data = test::readBytes(folder / "data.bin");

    const std::uint8_t* at(const json& range) const { return data.data() + range[0].get<std::size_t>(); }
    Pixels picture(const json& entry) const {
        Pixels p(entry["size"][0], entry["size"][1]);
        REQUIRE(p.rgb.size() == entry["picture"][1].get<std::size_t>());
        std::memcpy(p.rgb.data(), at(entry["picture"]), p.rgb.size());
        return p;
    }
    std::vector<float> floats(const json& range) const {
        std::vector<float> values(range[1].get<std::size_t>() / sizeof(float));
        std::memcpy(values.data(), at(range), values.size() * sizeof(float));
        return values;
    }
};

const Fixtures& fixtures() {
    static const Fixtures loaded;
    return loaded;
}

double largestDifference(const std::vector<float>& a, const std::vector<float>& b) {
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double d = std::abs(static_cast<double>(a[i]) - b[i]);
        largest = std::max(largest, std::isnan(d) ? 1e30 : d);
    }
    return largest;
}

Pixels noise(int width, int height) {
    Pixels p(width, height);
    std::uint32_t state = 12345;
    for (std::uint8_t& byte : p.rgb)
        byte = static_cast<std::uint8_t>((state = state * 1664525U + 1013904223U) >> 24);
    return p;
}

std::string refusal(const json& config, std::string_view modelType = "vit") {
    try {
        ImageProcessor::fromJson(config, modelType, "dir/preprocessor_config.json");
    } catch (const Error& e) {
        return e.what();
    }
    return "";
}

/// Peak memory of the process; 0 where it is not known.
long peakKilobytes() {
#ifdef _WIN32
    return 0;
#else
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
#endif
}

}  // namespace

TEST_CASE("resizing on bytes equals Pillow bit for bit") {
    std::size_t compared = 0;
    for (const json& entry : fixtures().index["resize"]) {
        if (entry["kind"] != "bytes") continue;
        const ResizeRequest request{
            entry["to"][0], entry["to"][1], static_cast<Resample>(entry["filter"].get<int>()), {}};
        const Pixels result = resizePillow(fixtures().picture(entry), request);
        CAPTURE(entry.dump());
        CHECK(std::memcmp(result.rgb.data(), fixtures().at(entry["expected"]), result.rgb.size()) == 0);
        ++compared;
    }
    CHECK(compared > 400);
}

TEST_CASE("resizing on floats equals torch with antialiasing") {
    std::array<float, 256> table;
    for (int i = 0; i < 256; ++i)
        table[static_cast<std::size_t>(i)] = static_cast<float>(i) * (1.0F / 255.0F);
    double largest = 0;
    for (const json& entry : fixtures().index["resize"]) {
        if (entry["kind"] != "floats") continue;
        const ResizeRequest request{
            entry["to"][0], entry["to"][1], static_cast<Resample>(entry["filter"].get<int>()), {}};
        const auto result = resizeAntialiased(fixtures().picture(entry), table, request);
        const auto expected = fixtures().floats(entry["expected"]);
        REQUIRE(result.size() == expected.size());
        const double difference = largestDifference(result, expected);
        CAPTURE(entry.dump());
        CHECK(difference < 2e-6);
        largest = std::max(largest, difference);
    }
    MESSAGE("largest difference to torch: " << largest);
}

TEST_CASE("a window of a resize is that part of the whole resize") {
    const Pixels source = noise(61, 200);
    for (int filter = 0; filter < 6; ++filter) {
        for (const auto& [width, height] : {std::pair{40, 30}, std::pair{150, 210}, std::pair{61, 77}}) {
            const auto code = static_cast<Resample>(filter);
            const Pixels whole = resizePillow(source, {width, height, code, {}});
            const Window window{7, 11, width - 13, height - 20};
            const Pixels part = resizePillow(source, {width, height, code, window});
            bool same = part.width == window.width && part.height == window.height;
            for (int y = 0; y < window.height; ++y) {
                same =
                    same && std::equal(part.at(0, y), part.at(0, y) + 3 * window.width, whole.at(7, 11 + y));
            }
            CAPTURE(filter);
            CHECK(same);
        }
    }
}

TEST_CASE("a very tall picture made very wide is resized in strips: same bytes, little memory") {
    Pixels tall(5, 20000);
    for (std::size_t i = 0; i < tall.rgb.size(); ++i)
        tall.rgb[i] = static_cast<std::uint8_t>(i * 2654435761U >> 24);
    const Window window{8100, 0, 40, 1};  // across the border of two strips
    const ResizeRequest request{16384, 1, Resample::Bicubic, {}};
    ResizeRequest narrow = request;
    narrow.window = window;
    std::array<float, 256> table{};
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>(i) / 255;
    const Pixels part = resizePillow(tall, narrow);
    const std::vector<float> floats = resizeAntialiased(tall, table, narrow);
    const long before = peakKilobytes();
    const Pixels whole = resizePillow(tall, request);
    const std::vector<float> wholeFloats = resizeAntialiased(tall, table, request);
    const long grown = peakKilobytes() - before;
    for (int x = 0; x < window.width; ++x)
        for (std::size_t c = 0; c < 3; ++c) {
            CHECK(part.at(x, 0)[c] == whole.at(window.x + x, 0)[c]);
            CHECK(floats[c * 40 + static_cast<std::size_t>(x)] ==
                  wholeFloats[c * 16384 + static_cast<std::size_t>(window.x + x)]);
        }
    INFO("peak memory grew by ", grown / 1024, " MiB");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(grown < 256 * 1024);
#endif
}

TEST_CASE("processed pictures equal transformers, torch and timm") {
    std::size_t exact = 0;
    for (const json& entry : fixtures().index["processor"]) {
        CAPTURE(entry["name"].dump());
        CAPTURE(entry["config"].dump());
        const auto processor =
            ImageProcessor::fromJson(entry["config"], entry["model_type"].get<std::string>());
        const ProcessedImage result = processor.process(fixtures().picture(entry));
        const std::vector<float> expected = fixtures().floats(entry["expected"]);
        REQUIRE(result.values.size() == expected.size());
        if (result.isPatches()) {
            CHECK(json(result.spatialShape) == entry["spatial_shape"]);
            CHECK(std::memcmp(result.patchMask.data(), fixtures().at(entry["mask"]),
                              result.patchMask.size()) == 0);
        } else {
            CHECK(json({3, result.height, result.width}) == entry["shape"]);
        }
        const double difference = largestDifference(result.values, expected);
        CHECK(difference <= entry["tolerance"].get<double>());
        exact += difference == 0;
        CHECK(result.seen.width == result.width);
        CHECK(result.seen.height == result.height);
    }
    MESSAGE(exact << " of " << fixtures().index["processor"].size() << " bit for bit");
    CHECK(exact > 300);
}

TEST_CASE("the picture that was seen matches the values") {
    const json config{
        {"size", 40}, {"do_center_crop", true}, {"crop_size", 52}, {"do_pad", true}, {"pad_size", 60}};
    const ProcessedImage out = ImageProcessor::fromJson(config, "vit").process(noise(90, 50));
    REQUIRE(out.width == 60);
    for (int y = 0; y < 60; ++y) {
        for (int x = 0; x < 60; ++x) {
            for (int c = 0; c < 3; ++c) {
                const float value = out.values[static_cast<std::size_t>(c * 3600 + y * 60 + x)];
                REQUIRE(std::abs((out.seen.at(x, y)[c] / 255.0 - 0.5) / 0.5 - value) < 0.005);
            }
        }
    }
}

TEST_CASE("rectangles of the input map to the original picture") {
    // 640 x 480, shorter side to 240: 320 x 240, crop 200 x 200 from column 60, row 20.
    const json config{{"size", {{"shortest_edge", 240}}}, {"crop_size", 200}};
    const PixelTransform t = ImageProcessor::fromJson(config, "clip").process(noise(640, 480)).transform;
    CHECK(t.toOriginal({0, 0, 10, 20}) == Rect{120, 40, 20, 40});
    CHECK(t.read() == Rect{120, 40, 400, 400});
    CHECK(t.unread() ==
          std::vector<Rect>{{0, 0, 640, 40}, {0, 40, 120, 400}, {520, 40, 120, 400}, {0, 440, 640, 40}});
    CHECK(t.toInput({120, 40, 20, 40}) == Rect{0, 0, 10, 20});
    CHECK(t.toInput({0, 0, 640, 480}) == Rect{0, 0, 200, 200});

    // A crop larger than the picture: 10 x 10 in 14 x 14, two pixels of padding around it.
    const json small{{"do_resize", false}, {"do_center_crop", true}, {"crop_size", 14}};
    const PixelTransform padded = ImageProcessor::fromJson(small, "vit").process(noise(10, 10)).transform;
    CHECK(padded.toOriginal({0, 0, 4, 4}) == Rect{0, 0, 2, 2});
    CHECK(padded.toOriginal({12, 12, 2, 2}).width == 0);
    CHECK(padded.read() == Rect{0, 0, 10, 10});
    CHECK(padded.unread().empty());
}

TEST_CASE("read and unread parts cover the picture once") {
    for (int i = 1; i < 60; ++i) {
        const json config{{"size", {{"shortest_edge", 30 + i % 7}}},
                          {"crop_size", {20 + i % 23, 50 - i % 31}}};
        const PixelTransform t =
            ImageProcessor::fromJson(config, "dinov2").process(noise(3 * i, 100 - i)).transform;
        const Rect r = t.read();
        double area = r.width * r.height;
        for (const Rect& u : t.unread()) area += u.width * u.height;
        CHECK(area == doctest::Approx(3.0 * i * (100 - i)));
    }
}

TEST_CASE("settings that make no sense are refused by key") {
    const json limits = std::numeric_limits<double>::quiet_NaN();
    const std::vector<std::pair<json, std::string>> bad{
        {{{"size", 0}}, "size"},
        {{{"size", -224}}, "size"},
        {{{"size", 16385}}, "size"},
        {{{"size", 1e30}}, "size"},
        {{{"size", 18446744073709551615ULL}}, "size"},
        {{{"size", "224"}}, "size"},
        {{{"size", true}}, "size"},
        {{{"size", {1, 2, 3}}}, "size"},
        {{{"size", {{"height", 224}}}}, "size"},
        {{{"size", {{"longest_edge", 224}}}}, "size"},
        {{{"size", {{"height", 224}, {"width", "x"}}}}, "size.width"},
        {{{"size", {{"shortest_edge", 0}}}}, "size.shortest_edge"},
        {{{"size", json::object()}}, "size"},
        {{{"do_center_crop", true}}, "crop_size"},
        {{{"do_center_crop", true}, {"crop_size", {{"shortest_edge", 4}}}}, "crop_size"},
        {{{"do_center_crop", 1}}, "do_center_crop"},
        {{{"crop_size", -1}}, "crop_size"},
        {{{"do_resize", "yes"}}, "do_resize"},
        {{{"resample", 6}}, "resample"},
        {{{"resample", -1}}, "resample"},
        {{{"resample", 2.5}}, "resample"},
        {{{"resample", "cubic-ish"}}, "resample"},
        {{{"rescale_factor", 0}}, "rescale_factor"},
        {{{"rescale_factor", limits}}, "rescale_factor"},
        {{{"rescale_factor", "1/255"}}, "rescale_factor"},
        {{{"image_std", {0.5, 0.0, 0.5}}}, "image_std"},
        {{{"image_std", {0.5, limits, 0.5}}}, "image_std"},
        {{{"image_std", {0.5, 1e-300, 0.5}}}, "image_std"},
        {{{"image_std", {0.5, 1e300, 0.5}}}, "image_std"},
        {{{"image_std", {0.5, 1e-39, 0.5}}}, "image_std"},
        {{{"image_mean", {0.5, 0.5}}}, "image_mean"},
        {{{"image_mean", "0.5"}}, "image_mean"},
        {{{"image_mean", {0.5, "a", 0.5}}}, "image_mean[1]"},
        {{{"do_pad", true}, {"pad_size", 0}}, "pad_size"},
        {{{"image_processor_type", "WhateverImageProcessor"}}, "image_processor_type"},
        {{{"image_processor_type", 3}}, "image_processor_type"},
        {{{"image_processor", 3}}, "image_processor"},
        {{{"image_processor_type", "DINOv3ViTImageProcessor"}, {"do_rescale", false}}, "do_rescale"},
        {{{"image_processor_type", "DINOv3ViTImageProcessor"}, {"resample", 1}}, "resample"},
        {{{"image_processor_type", "Siglip2ImageProcessor"}, {"patch_size", 0}}, "patch_size"},
        {{{"image_processor_type", "Siglip2ImageProcessor"}, {"max_num_patches", 1000000}},
         "max_num_patches"},
        {{{"pretrained_cfg", {{"input_size", {1, 28, 28}}}}}, "input_size"},
        {{{"pretrained_cfg", {{"input_size", {3, 0, 28}}}}}, "input_size"},
        {{{"pretrained_cfg", {{"crop_pct", -1}}}}, "crop_pct"},
        {{{"pretrained_cfg", {{"crop_mode", "top"}}}}, "crop_mode"},
        {{{"pretrained_cfg", {{"std", {1, 1, 0}}}}}, "std"},
        {{{"pretrained_cfg", 7}}, "pretrained_cfg"},
        {json::array(), "object"},
    };
    for (const auto& [config, key] : bad) {
        const std::string message = refusal(config);
        CAPTURE(config.dump());
        CAPTURE(message);
        CHECK(message.find(key) != std::string::npos);
    }
    CHECK(refusal({{"size", "224"}}) ==
          "dir/preprocessor_config.json: size: expected a number, [height, width] or {\"height\", "
          "\"width\"}, found "
          "\"224\"");
    CHECK(refusal(json::object(), "bert").find("bert") != std::string::npos);
}

TEST_CASE("texts that are not strict JSON are refused") {
    for (const char* text : {"", "{", "{\"size\": NaN}", "{\"image_std\": [Infinity,1,1]}",
                             "{\"size\": 1e999}", "[1]", "\xff\xfe", "{\"a\": \"\xc3\"}"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(ImageProcessor::fromText(text, "vit"), Error);
    }
    CHECK_THROWS_AS(ImageProcessor::fromText(std::string(1000, '[') + std::string(1000, ']'), "vit"), Error);
    CHECK_THROWS_AS(ImageProcessor::fromText(std::string(1000000, '['), "vit"), Error);
}

TEST_CASE("pictures that cannot be processed are refused, extreme ones work") {
    const auto vit = ImageProcessor::forFamily("vit");
    CHECK_THROWS_AS(vit.process(Pixels{}), Error);
    CHECK_THROWS_AS(vit.process(Pixels(0, 5)), Error);
    CHECK(vit.process(noise(1, 1)).values.size() == 3 * 224 * 224);
    CHECK(vit.process(noise(20000, 3)).values.size() == 3 * 224 * 224);
    // Only the crop of the 4.5 million columns that the shorter side asks for is computed.
    const ProcessedImage line = ImageProcessor::fromJson(json::object(), "clip").process(noise(20000, 1));
    CHECK(line.transform.resizedWidth == 4480000);
    CHECK(line.width == 224);
    const auto uncropped = ImageProcessor::fromJson({{"size", {{"shortest_edge", 224}}}}, "vit");
    CHECK_THROWS_AS(uncropped.process(noise(20000, 1)), Error);
    const auto inside = ImageProcessor::fromJson({{"size", {{"max_height", 9}, {"max_width", 9}}}}, "vit");
    CHECK_THROWS_AS(inside.process(noise(100, 1)), Error);
    const auto padded = ImageProcessor::fromJson({{"do_pad", true}, {"pad_size", 9}}, "vit");
    CHECK_THROWS_AS(padded.process(noise(9, 9)), Error);
}

TEST_CASE("a folder's files are found in the reference's order") {
    const auto folder = std::filesystem::temp_directory_path() / "fovea_image_processor_test";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    const auto write = [&](const char* name, const char* text) {
        std::FILE* file = std::fopen((folder / name).string().c_str(), "wb");
        REQUIRE(file);
        std::fputs(text, file);
        std::fclose(file);
    };
    write("config.json", R"({"model_type":"vit","image_size":32})");
    auto processor = ImageProcessor::fromFolder(folder, "vit");
    CHECK(processor.settings().height == 32);
    CHECK(processor.notices().size() == 1);
    CHECK(ImageProcessor::fromFolder(folder, "dinov2").settings().height == 36);  // 256 / 224 of the input
    CHECK_THROWS_AS(ImageProcessor::fromFolder(folder, "unheard_of"), Error);
    write("preprocessor_config.json", R"({"size":48})");
    processor = ImageProcessor::fromFolder(folder, "vit");
    CHECK(processor.settings().height == 48);
    CHECK(processor.notices().empty());
    write("processor_config.json", R"({"image_processor":{"size":64}})");
    CHECK(ImageProcessor::fromFolder(folder, "vit").settings().height == 64);
    write("processor_config.json", R"({"patch_size":14})");
    CHECK(ImageProcessor::fromFolder(folder, "vit").settings().height == 48);
    CHECK(processor.describe().find("48 x 48 (bilinear)") != std::string::npos);
    std::filesystem::remove_all(folder);
}

TEST_CASE("PPM pictures are read and written, and others refused") {
    const Pixels picture = noise(5, 3);
    const auto file = std::filesystem::temp_directory_path() / "fovea_ppm_test.ppm";
    writePpm(file, picture);
    CHECK(readPpm(file) == picture);
    std::filesystem::remove(file);
    const auto decode = [](const std::string& text) {
        return decodePpm({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, "text");
    };
    CHECK(decode("P6#c\n#d\n 2 # w\n1\t255\nabcdef").rgb ==
          std::vector<std::uint8_t>{'a', 'b', 'c', 'd', 'e', 'f'});
    for (const char* text : {"", "P6", "P5 1 1 255\na", "P6 1 1 65535\nabcdef", "P6 1 1 255\nab",
                             "P6 0 1 255\n", "P6 -1 1 255\nabc", "P6 99999999999 1 255\n",
                             "P6 60000 60000 255\nabc", "P6 1 1 255", "P6 1 1", "P6 #", "P6 1x1 255 abc"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(decode(text), Error);
    }
}
