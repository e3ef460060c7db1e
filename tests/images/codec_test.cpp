#include "fovea/viz/image_file.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "fovea/error.h"
#include "fovea/ppm.h"
#include "images/fixtures.h"

using namespace fovea;
using nlohmann::json;

namespace {

const std::filesystem::path& fixtures() {
    static const std::filesystem::path folder = test::fixtureFolder("make_codec_fixtures.py");
    return folder;
}

std::vector<std::uint8_t> fixture(const std::string& name) {
    return test::readBytes(fixtures() / "files" / name);
}

/// What decoding throws, or nothing when it works.
std::string refusal(const std::vector<std::uint8_t>& bytes) {
    try {
        viz::decodeImage(bytes, "dir/picture");
    } catch (const Error& e) {
        return e.what();
    }
    return "";
}

void bigEndian(std::vector<std::uint8_t>& bytes, std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}

std::uint32_t crcOf(const std::uint8_t* data, std::size_t size) {
    std::uint32_t crc = 0xffffffffU;
    for (std::size_t i = 0; i < size; ++i) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0U);
    }
    return ~crc;
}

Pixels ramp(int width, int height) {
    Pixels p(width, height);
    for (std::size_t i = 0; i < p.rgb.size(); ++i) p.rgb[i] = static_cast<std::uint8_t>(i * 7);
    return p;
}

}  // namespace

TEST_CASE("pictures equal what Pillow reads, byte for byte") {
    const json index = test::readJson(fixtures() / "index.json");
    const auto expected = test::readBytes(fixtures() / "expected.bin");
    CHECK(index.size() > 250);
    int keyed = 0;
    for (const json& entry : index) {
        const std::string name = entry["file"];
        CAPTURE(name);
        Pixels picture;
        try {
            picture = viz::readImage(fixtures() / "files" / name);
        } catch (const Error& e) {
            FAIL_CHECK(e.what());
            continue;
        }
        CHECK(json({picture.width, picture.height}) == entry["size"]);
        REQUIRE(picture.rgb.size() == entry["expected"][1].get<std::size_t>());
        const std::uint8_t* wanted = expected.data() + entry["expected"][0].get<std::size_t>();
        std::size_t differing = 0;
        int largest = 0;
        for (std::size_t i = 0; i < picture.rgb.size(); ++i) {
            const int d = std::abs(picture.rgb[i] - wanted[i]);
            differing += d != 0;
            largest = std::max(largest, d);
        }
        CAPTURE(largest);
        CHECK(differing == 0);
        const bool transparent = entry.contains("alpha");
        keyed += transparent;
        REQUIRE(picture.alpha.empty() == !transparent);
        if (!transparent) continue;
        REQUIRE(3 * picture.alpha.size() == picture.rgb.size());
        CHECK(std::memcmp(picture.alpha.data(), expected.data() + entry["alpha"].get<std::size_t>(), picture.alpha.size()) == 0);
    }
    CHECK(keyed > 40);
}

TEST_CASE("a picture survives writing and reading") {
    const Pixels picture = ramp(37, 23);
    CHECK(viz::decodeImage(viz::pngBytes(picture), "memory") == picture);
    CHECK(viz::pngBytes(picture) == viz::pngBytes(picture));
    const auto folder = std::filesystem::temp_directory_path();
    viz::writePng(folder / "fovea_codec_test.png", picture);
    CHECK(viz::readImage(folder / "fovea_codec_test.png") == picture);
    writePpm(folder / "fovea_codec_test.ppm", picture);
    CHECK(readPpm(folder / "fovea_codec_test.ppm") == picture);
    CHECK(viz::readImage(folder / "fovea_codec_test.ppm") == picture);
    std::filesystem::remove(folder / "fovea_codec_test.png");
    std::filesystem::remove(folder / "fovea_codec_test.ppm");
}

TEST_CASE("files cut off anywhere are refused") {
    for (const std::string name : {"photo-30-1-0.jpg", "photo-95-2-1.jpg", "cmyk.jpg", "mode-RGB.png", "raw-3-4-interlaced.png",
                             "rgb-0.webp", "alpha-1.webp", "RGB-tiff_lzw.tif", "tiles.tif", "photo.gif", "made-0-0-plain.gif",
                             "RGB.bmp", "rle8.bmp", "palette-4.bmp", "plain.ppm"}) {
        const std::vector<std::uint8_t> whole = fixture(name);
        REQUIRE(refusal(whole).empty());
        for (int part = 0; part < 20; ++part) {
            const std::size_t size = whole.size() * static_cast<std::size_t>(part) / 20;
            const std::string message = refusal({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
            CAPTURE(name);
            CAPTURE(size);
            CHECK(message.starts_with("dir/picture: "));
        }
    }
}

TEST_CASE("damaged bytes give a picture or an Error, nothing else") {
    std::uint32_t state = 1;
    const auto next = [&state] { return (state = state * 1664525U + 1013904223U) >> 8; };
    for (const std::string name : {"exif-6.jpg", "photo-95-2-1.jpg", "cmyk-exif.jpg", "raw-3-4-interlaced.png", "raw-profile.png",
                             "mode-RGBA.png", "exif-alpha-6.png", "alpha-0.webp", "RGBA-tiff_lzw.tif",
                             "exif-6.webp", "animated-1.webp", "strips.tif", "tiles.tif", "planar.tif", "rgba16-1.tif", "palette-4.tif",
                             "L-packbits.tif", "group4.tif", "jpeg-RGB.tif", "YCbCr-None.tif", "made-1-1-clear.gif", "photo.gif",
                             "rle4.bmp", "16-565.bmp", "core.bmp"}) {
        const std::vector<std::uint8_t> whole = fixture(name);
        for (int round = 0; round < 150; ++round) {
            auto damaged = whole;
            const std::size_t reach = round % 2 ? std::min<std::size_t>(damaged.size(), 120) : damaged.size();
            for (std::uint32_t i = 0; i < 1 + next() % 4; ++i) damaged[next() % reach] = static_cast<std::uint8_t>(next());
            try {
                const Pixels picture = viz::decodeImage(damaged, name);
                CHECK(picture.rgb.size() == static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.height) * 3);
                CHECK((picture.alpha.empty() || 3 * picture.alpha.size() == picture.rgb.size()));
            } catch (const Error&) {
            }
        }
    }
}

TEST_CASE("sizes that would need too much memory are refused before decoding") {
    auto png = fixture("mode-RGB.png");
    bigEndian(png, 16, 60000);
    bigEndian(png, 20, 60000);
    bigEndian(png, 29, crcOf(png.data() + 12, 17));
    CHECK(refusal(png) == "dir/picture: expected at most 120 million pixels, found 60000 x 60000");

    // A text chunk of 2 GB in a small file; what follows the pixels does not matter.
    auto text = fixture("xmp.png");
    bigEndian(text, 33, 0x7fffffff);
    CHECK(refusal(text).find("the end of the file") != std::string::npos);
    auto tail = fixture("exif-after.png");
    const std::string kind = "eXIf";
    const auto chunk = std::search(tail.begin(), tail.end(), kind.begin(), kind.end());
    REQUIRE(chunk != tail.end());
    bigEndian(tail, static_cast<std::size_t>(chunk - tail.begin()) - 4, 0x7fffffff);
    CHECK(refusal(tail).empty());

    auto bmp = fixture("RGB.bmp");
    for (std::size_t at : {18, 22}) std::memcpy(bmp.data() + at, "\x60\xea\0\0", 4);
    CHECK(refusal(bmp).find("60000 x 60000") != std::string::npos);
    std::memcpy(bmp.data() + 22, "\0\0\0\x80", 4);  // the most negative height
    CHECK(refusal(bmp).find("million pixels") != std::string::npos);

    auto gif = fixture("made-0-0-plain.gif");
    std::memcpy(gif.data() + 6, "\xff\xff\xff\xff", 4);
    CHECK(refusal(gif).find("65535 x 65535") != std::string::npos);

    auto jpeg = fixture("photo-30-1-0.jpg");
    const std::uint8_t frame[] = {0xff, 0xc0};
    const auto at = std::search(jpeg.begin(), jpeg.end(), std::begin(frame), std::end(frame));
    REQUIRE(at != jpeg.end());
    for (std::ptrdiff_t i = 5; i < 9; ++i) at[i] = 0xea;
    CHECK(refusal(jpeg).find("60138 x 60138") != std::string::npos);

    const std::string ppm = "P6 60000 60000 255\n";
    CHECK(refusal({ppm.begin(), ppm.end()}).find("60000 x 60000") != std::string::npos);
}

TEST_CASE("files that are no pictures are refused") {
    CHECK(refusal({}) == "dir/picture: expected a picture, found an empty file");
    const std::string text = "just some words";
    CHECK(refusal({text.begin(), text.end()}).find("another kind of file") != std::string::npos);
    for (const std::string& magic : std::vector<std::string>{"\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "RIFF....WEBP", "GIF89a", "II*", "BM", "P6"}) {
        for (std::size_t zeros : {0U, 1U, 7U, 100U}) {
            const std::string padded = magic + std::string(zeros, '\0');
            const std::vector<std::uint8_t> bytes(padded.begin(), padded.end());
            CAPTURE(magic);
            CHECK(!refusal(bytes).empty());
        }
    }
    CHECK_THROWS_AS(viz::readImage("/nowhere/at/all.png"), Error);
    CHECK_THROWS_AS(viz::readImage(std::filesystem::temp_directory_path()), Error);
}

TEST_CASE("a zero-sized picture in any format is refused") {
    const std::vector<std::uint8_t> gif{'G', 'I', 'F', '8', '9', 'a', 0, 0, 0, 0, 0, 0, 0, ',', 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, ';'};
    CHECK(refusal(gif).find("0 x 0") != std::string::npos);
    auto bmp = fixture("RGB.bmp");
    std::memset(bmp.data() + 18, 0, 4);
    CHECK(refusal(bmp).find("0 x ") != std::string::npos);
    const std::string ppm = "P6 0 5 255\n";
    CHECK(!refusal({ppm.begin(), ppm.end()}).empty());
}
