#include "fovea/viz/export.h"

#include <doctest/doctest.h>

#include <QCoreApplication>
#include <QImage>
#include <QPainter>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>

#include "fovea/error.h"
#include "fovea/viz/colormap.h"
#include "fovea/viz/picture_file.h"
#include "fovea/viz/qt_draw.h"
#include "picture/utf8.h"
#include "viz/samples.h"

using namespace fovea;
using namespace fovea::viz;

namespace {

Picture drawn(const Finding& finding, const Display& display = {}) {
    const TokenMap tokens = samples::tokens(120, 80, 14, 14);
    const Pixels photo = samples::photo(120, 80);
    const PainterCatalog catalog = makePainterCatalog();
    const PainterEntry& entry = painterFor(catalog, finding, "");
    Picture picture = entry.paint({finding, tokens, photo, display, "demo:vit | <image> ]]> \u661F", {}, {}},
                                  checkedParams(entry.info, nullptr));
    picture.document = R"json({"prompt":"<image> ]]> \"q\" & (x)","schema":1})json";
    return picture;
}

std::vector<Picture> everyKind() {
    std::vector<Picture> out;
    for (const Finding& finding : samples::all(samples::tokens(120, 80, 14, 14), 120, 80))
        out.push_back(drawn(finding));
    return out;
}

QImage decoded(const std::string& png) {
    return QImage::fromData(reinterpret_cast<const uchar*>(png.data()), static_cast<int>(png.size()), "PNG");
}

double difference(const QImage& a, const QImage& b) {
    REQUIRE(a.size() == b.size());
    double sum = 0;
    for (int y = 0; y < a.height(); ++y)
        for (int x = 0; x < a.width(); ++x) {
            const QColor p = a.pixelColor(x, y), q = b.pixelColor(x, y);
            sum +=
                std::abs(p.red() - q.red()) + std::abs(p.green() - q.green()) + std::abs(p.blue() - q.blue());
        }
    return sum / (3.0 * a.width() * a.height());
}

struct TemporaryFolder {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("fovea-export-" + std::to_string(std::random_device{}()));
    TemporaryFolder() { std::filesystem::create_directories(path); }
    ~TemporaryFolder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("an application without a display is made once") {
    ensureGraphics();
    const auto* first = QCoreApplication::instance();
    REQUIRE(first);
    ensureGraphics();
    CHECK(QCoreApplication::instance() == first);
}

TEST_CASE(
    "every kind of picture becomes PNG, SVG and PDF, twice the same bytes, and gives its document back") {
    for (const Picture& picture : everyKind())
        for (const auto format : {FileFormat::Png, FileFormat::Svg, FileFormat::Pdf}) {
            const std::string bytes = encodePicture(picture, format);
            INFO(picture.title, ", format ", static_cast<int>(format));
            CHECK(bytes.size() > 1000);
            CHECK(bytes == encodePicture(picture, format));
            CHECK(documentFromBytes(bytes, "picture") == picture.document);
            CHECK_FALSE(
                documentFromBytes(encodePicture(picture, format, {150, false}), "picture").has_value());
        }
}

TEST_CASE("size and resolution of a PNG follow the dots per inch") {
    const Picture picture = drawn(samples::table(4));
    for (const double dpi : {96.0, 150.0, 300.0}) {
        const QImage image = decoded(encodePicture(picture, FileFormat::Png, {dpi, true}));
        CHECK(image.width() == std::ceil(picture.width * dpi / 96));
        CHECK(image.height() == std::ceil(picture.height * dpi / 96));
        CHECK(image.dotsPerMeterX() == std::lround(dpi / 0.0254));
        CHECK_FALSE(image.hasAlphaChannel());
    }
    for (const double dpi : {0.0, 5.0, 5000.0, std::nan("")})
        CHECK_THROWS_AS(encodePicture(picture, FileFormat::Png, {dpi, true}), Error);
    Picture large = picture;
    large.height = 30000;
    try {
        encodePicture(large, FileFormat::Png, {1200, true});
        FAIL("no error");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::Memory);
    }
}

TEST_CASE("a picture looks the same at one and at two pixels a unit") {
    for (const Picture& picture : everyKind()) {
        const QImage one = decoded(encodePicture(picture, FileFormat::Png, {96, false}));
        const QImage two = decoded(encodePicture(picture, FileFormat::Png, {192, false}))
                               .scaled(one.size(), Qt::IgnoreAspectRatio, Qt::SmoothTransformation);
        INFO(picture.title);
        CHECK(difference(one, two) < 3);
    }
}

TEST_CASE("a cell has the colour that the colour bar gives to its value") {
    Display display;
    display.opacity = 1;
    display.tokenGrid = false;
    display.blend = Blend::Even;
    display.colormap = "viridis";
    const Finding finding = samples::grid(14, 14, {"p"}, 120, 80);
    const Picture picture = drawn(finding, display);
    const Grid& grid = std::get<Grid>(finding.data);
    const auto [low, high] = valueRange(finding);
    const Pixels pixels = renderPixels(picture, 96);
    for (const int cell : {0, 50, 97, 195}) {
        const Rect& r = picture.hits[cell].rect;
        const std::uint8_t* found =
            pixels.at(static_cast<int>(r.x + r.width / 2), static_cast<int>(r.y + r.height / 2));
        const Color expected = colorMap("viridis").at((grid.values[cell] - low) / (high - low));
        INFO("cell ", cell);
        CHECK(std::abs(found[0] - expected.r) <= 1);
        CHECK(std::abs(found[1] - expected.g) <= 1);
        CHECK(std::abs(found[2] - expected.b) <= 1);
    }
}

TEST_CASE("the screen shows what the file shows") {
    const Picture picture = drawn(samples::series(3, 8));
    const QImage file = decoded(encodePicture(picture, FileFormat::Png, {96, false}));
    QImage screen(file.size(), QImage::Format_RGB32);
    screen.fill(Qt::white);
    QPainter painter(&screen);
    draw(painter, picture);
    painter.end();
    CHECK(difference(file, screen) < 1);
}

TEST_CASE("files are named by suffix, written whole, and other suffixes are refused with advice") {
    TemporaryFolder folder;
    const Picture picture = drawn(samples::table(3));
    for (const std::string name : {"a.png", "b.SVG", "c.pdf"}) {
        exportPicture(picture, folder.path / name);
        CHECK(readDocument(folder.path / name) == picture.document);
    }
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path),
                        std::filesystem::directory_iterator()) == 3);
    try {
        exportPicture(picture, folder.path / "d.webm");
        FAIL("no error");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::Usage);
        CHECK(error.hint().find("PNG") != std::string::npos);
    }
    CHECK_THROWS_AS(exportPicture(picture, folder.path / "e"), Error);
    CHECK_THROWS_AS(exportPicture(picture, folder.path / "missing" / "f.png"), Error);
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path),
                        std::filesystem::directory_iterator()) == 3);
}

TEST_CASE("a PDF is one page of the picture's size with real text and no date of today") {
    const Picture picture = drawn(samples::table(3));
    const std::string pdf = encodePicture(picture, FileFormat::Pdf);
    CHECK(pdf.find("/CreationDate (D:20000101") != std::string::npos);
    CHECK(pdf.find("/Type /Font") != std::string::npos);
    CHECK(pdf.find("<dc:title>") != std::string::npos);
    CHECK(pdf.find("&lt;image&gt; ]]&gt;") != std::string::npos);
}

TEST_CASE("characters that no font draws are told, once each") {
    const auto saying = [](const std::string& text) {
        Picture picture;
        picture.width = picture.height = 100;
        TextMark mark;
        mark.position = {10, 50};
        mark.text = text;
        picture.layers.push_back({"labels", {mark, mark}});
        return undrawnCharacters(picture);
    };
    CHECK(saying("plain, \u00E9 \u2192 \uFFFD").empty());
    CHECK(saying("a\U0003FFFDb\U0003FFFD") == "\U0003FFFD");
    std::string many;
    for (char32_t c = 0x3FF00; c < 0x3FF20; ++c) appendUtf8(many, c);
    CHECK(saying(many).size() == 12 * 4 + 3);
}

TEST_CASE("pictures of odd findings can be drawn and exported") {
    const TokenMap tokens = samples::tokens(60, 40, 14, 14);
    const Pixels dot = samples::photo(1, 1);
    const PainterCatalog catalog = makePainterCatalog();
    for (const Finding& finding : samples::awkward(tokens)) {
        const PainterEntry& entry = painterFor(catalog, finding, "");
        const Picture picture =
            entry.paint({finding, tokens, dot, {}, "recipe", {}, {}}, checkedParams(entry.info, nullptr));
        CHECK(decoded(encodePicture(picture, FileFormat::Png, {20, true})).width() > 0);
        CHECK_FALSE(encodePicture(picture, FileFormat::Svg).empty());
    }
}
