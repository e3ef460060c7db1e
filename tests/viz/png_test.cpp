#include <doctest/doctest.h>

#include <QImage>
#include <random>

#include "picture/deflate.h"
#include "picture/metadata.h"

using namespace fovea::viz;

namespace {

/// Qt's decoder, an independent reader, sees the pixels that went in.
void checkRoundTrip(const std::vector<std::uint8_t>& rgba, int width, int height) {
    const std::string png = encodePng(rgba.data(), width, height);
    const QImage image =
        QImage::fromData(reinterpret_cast<const uchar*>(png.data()), static_cast<int>(png.size()), "PNG")
            .convertToFormat(QImage::Format_RGBA8888);
    REQUIRE(image.width() == width);
    REQUIRE(image.height() == height);
    for (int y = 0; y < height; ++y)
        CHECK(std::equal(image.constScanLine(y), image.constScanLine(y) + 4 * width,
                         rgba.begin() + static_cast<std::ptrdiff_t>(4) * y * width));
}

}  // namespace

TEST_CASE("PNG files that we write are read back exactly") {
    std::mt19937 random(5);
    for (const auto& [width, height] :
         {std::pair(1, 1), std::pair(3, 1), std::pair(1, 300), std::pair(37, 23), std::pair(640, 200)})
        for (const int kind : {0, 1, 2, 3}) {
            std::vector<std::uint8_t> rgba(static_cast<std::size_t>(width) * height * 4);
            for (std::size_t i = 0; i < rgba.size(); ++i) {
                const auto x = static_cast<int>(i / 4 % width), y = static_cast<int>(i / 4 / width);
                const auto noise = static_cast<std::uint8_t>(random());
                rgba[i] = kind == 0   ? noise
                          : kind == 1 ? static_cast<std::uint8_t>(x / 20 * 40 + y / 30)
                          : kind == 2 ? static_cast<std::uint8_t>(x + 2 * y)
                                      : 77;
                if (i % 4 == 3 && kind != 0) rgba[i] = 255;
            }
            checkRoundTrip(rgba, width, height);
        }
}

TEST_CASE("long runs and far matches are encoded right") {
    std::vector<std::uint8_t> rgba(static_cast<std::size_t>(300) * 400 * 4, 255);
    std::mt19937 random(9);
    // The same noisy lines again and again, farther apart than the window in places.
    for (int y = 0; y < 400; ++y)
        for (int x = 0; x < 300; ++x)
            for (int c = 0; c < 3; ++c)
                rgba[(static_cast<std::size_t>(y) * 300 + x) * 4 + c] =
                    y % 50 == 0 ? static_cast<std::uint8_t>(random())
                                : static_cast<std::uint8_t>(x * (y % 45) >> 3);
    checkRoundTrip(rgba, 300, 400);
}
