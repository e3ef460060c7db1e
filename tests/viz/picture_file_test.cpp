#include "fovea/viz/picture_file.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "fovea/error.h"
#include "picture/metadata.h"

using namespace fovea;
using namespace fovea::viz;

namespace {

Picture small() {
    Picture picture;
    picture.width = 100;
    picture.height = 40;
    picture.title = "Attention of \"<image>\" & friends";
    picture.recipe = "prompt=<image> ]]> what?";
    picture.document = R"({"prompt":"<image> \"x\" ]]> & \u0001","n":1})";
    picture.layers.push_back(
        {"labels", {TextMark{{5, 20}, "<image> & ]]>", 12, {}, Anchor::Start, false, false, 0}}});
    return picture;
}

struct TemporaryFolder {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("fovea-picture-" + std::to_string(std::random_device{}()));
    TemporaryFolder() { std::filesystem::create_directories(path); }
    ~TemporaryFolder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("an SVG escapes every text and gives its document back") {
    const Picture picture = small();
    const std::string svg = svgText(picture);
    CHECK(svg.find("<image> &") == std::string::npos);
    CHECK(svg.find("&lt;image&gt; &amp; ]]&gt;</text>") != std::string::npos);
    CHECK(svg.find("<title>Attention of &quot;&lt;image&gt;&quot; &amp; friends</title>") !=
          std::string::npos);
    CHECK(documentFromBytes(svg, "x.svg") == picture.document);
    CHECK_FALSE(documentFromBytes(svgText(picture, Metadata::Omit), "x.svg").has_value());
    CHECK(svg == svgText(picture));
}

TEST_CASE("a PNG gives its document back") {
    const std::vector<std::uint8_t> pixel = {1, 2, 3, 255};
    std::string png = encodePng(pixel.data(), 1, 1);
    CHECK_FALSE(documentFromBytes(png, "x.png").has_value());
    insertPngMetadata(png, small());
    CHECK(documentFromBytes(png, "x.png") == small().document);
}

TEST_CASE("a damaged file is an error or has no document, never a crash") {
    const std::vector<std::uint8_t> pixel = {1, 2, 3, 255};
    std::string png = encodePng(pixel.data(), 1, 1);
    insertPngMetadata(png, small());
    for (std::size_t length = 0; length < png.size(); ++length) {
        const std::string cut = png.substr(0, length);
        try {
            const auto document = documentFromBytes(cut, "cut.png");
            if (document) CHECK(*document == small().document);
        } catch (const Error& error) {
            CHECK(std::string(error.what()).find("cut.png") != std::string::npos);
            CHECK_FALSE(error.hint().empty());
        }
    }
    std::string huge = png;
    huge[8] = '\x7f';  // a first chunk of 2 GiB
    CHECK_THROWS_AS(documentFromBytes(huge, "huge.png"), Error);
    const std::string svg = svgText(small());
    CHECK_THROWS_AS(documentFromBytes(svg.substr(0, svg.find("</fovea:document>")), "cut.svg"), Error);
    CHECK_FALSE(documentFromBytes("", "empty").has_value());
    CHECK_FALSE(documentFromBytes("hello", "text").has_value());
}

TEST_CASE("files are written whole or not at all") {
    TemporaryFolder folder;
    const auto file = folder.path / "a.svg";
    writePictureFile(file, "first");
    writePictureFile(file, svgText(small()));
    CHECK(readDocument(file) == small().document);
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path),
                        std::filesystem::directory_iterator()) == 1);
    CHECK_THROWS_AS(writePictureFile(folder.path / "missing" / "a.svg", "x"), Error);
    std::filesystem::create_directories(folder.path / "taken.svg" / "inside");
    CHECK_THROWS_AS(writePictureFile(folder.path / "taken.svg", "x"), Error);
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path),
                        std::filesystem::directory_iterator()) == 2);
    CHECK_THROWS_AS(readDocument(folder.path / "none.png"), Error);
    CHECK_THROWS_AS(readDocument(folder.path), Error);
}
