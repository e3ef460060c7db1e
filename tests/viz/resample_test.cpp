#include "picture/resample.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace fovea;
using namespace fovea::viz;

namespace {
constexpr float none = std::numeric_limits<float>::quiet_NaN();
}

TEST_CASE("nearest repeats cells") {
    const std::vector<float> values = {1, 2, 3, 4};
    const auto out = upsample(values, 2, 2, 4, 4, Filter::Nearest);
    CHECK(out == std::vector<float>{1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4});
}

TEST_CASE("bilinear reproduces a ramp between cell centres and continues the edge") {
    const std::vector<float> values = {0, 1};
    const auto out = upsample(values, 1, 2, 1, 8, Filter::Bilinear);
    const std::vector<float> expected = {0, 0, 0.125f, 0.375f, 0.625f, 0.875f, 1, 1};
    REQUIRE(out.size() == expected.size());
    for (std::size_t i = 0; i < out.size(); ++i) CHECK(out[i] == doctest::Approx(expected[i]));
}

TEST_CASE("bicubic is Keys' kernel with a = -0.5") {
    const std::vector<float> values = {0, 0, 1, 0, 0};
    // Half a cell from the peak: w(0.5) = 0.5625; 1.5 cells from it: w(1.5) = -0.0625.
    const auto out = upsample(values, 1, 5, 1, 10, Filter::Bicubic);
    const auto at = [](double distance) {
        return distance < 1
                   ? 1.5 * distance * distance * distance - 2.5 * distance * distance + 1
                   : -0.5 * distance * distance * distance + 2.5 * distance * distance - 4 * distance + 2;
    };
    for (int i = 3; i < 7; ++i) CHECK(out[i] == doctest::Approx(at(std::abs((i + 0.5) / 2 - 2.5))));
    CHECK(out[2] < 0);
}

TEST_CASE("every filter keeps a constant, keeps NaN cells whole and does not let them spread") {
    for (const auto filter : {Filter::Nearest, Filter::Bilinear, Filter::Bicubic}) {
        const std::vector<float> values = {7, 7, 7, 7, none, 7, 7, 7, 7};
        const auto out = upsample(values, 3, 3, 12, 12, filter);
        for (int y = 0; y < 12; ++y)
            for (int x = 0; x < 12; ++x) {
                const bool inside = y >= 4 && y < 8 && x >= 4 && x < 8;
                CHECK(std::isnan(out[y * 12 + x]) == inside);
                if (!inside) CHECK(out[y * 12 + x] == doctest::Approx(7));
            }
    }
}

TEST_CASE("reducing an image averages areas and leaves small images alone") {
    Pixels image(4, 2);
    for (int x = 0; x < 4; ++x)
        for (int y = 0; y < 2; ++y) image.at(x, y)[0] = static_cast<std::uint8_t>(10 * x + y);
    CHECK(reduced(image, 4, 2) == image);
    const Pixels half = reduced(image, 2, 1);
    CHECK(half.width == 2);
    CHECK(half.height == 1);
    CHECK(half.at(0, 0)[0] == 6);  // (0 + 10 + 1 + 11) / 4 = 5.5, rounded up
    CHECK(half.at(1, 0)[0] == 26);
    const Pixels wide = reduced(Pixels(20000, 3), 800, 600);
    CHECK(wide.width == 800);
    CHECK(wide.height == 3);
}
