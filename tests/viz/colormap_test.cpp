#include "fovea/viz/colormap.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <set>

#include "fovea/error.h"

using namespace fovea;
using namespace fovea::viz;

namespace {

constexpr int positions[] = {0, 20, 51, 83, 115, 128, 147, 179, 211, 240, 255};

struct Reference {
    const char* name;
    std::uint32_t colors[std::size(positions)];
};

// matplotlib 3.11 at these positions, rounded to 8 bits. Over all 256 positions the largest error of our maps
// is one level.
constexpr Reference references[] = {
    {"inferno",
     {0x000004, 0x10092d, 0x420a68, 0x751b6e, 0xa82e5f, 0xbc3754, 0xd54a41, 0xf37819, 0xfcb216, 0xf2ea69,
      0xfcffa4}},
    {"viridis",
     {0x440154, 0x481d6f, 0x414487, 0x31668e, 0x25848e, 0x21918c, 0x1fa287, 0x44bf70, 0x8bd646, 0xd8e219,
      0xfde725}},
    {"magma",
     {0x000004, 0x0e0b2b, 0x3b0f70, 0x6e1e81, 0xa1307e, 0xb73779, 0xd5446d, 0xf7705c, 0xfeac76, 0xfde2a3,
      0xfcfdbf}},
    {"plasma",
     {0x0d0887, 0x38049a, 0x6a00a8, 0x99159f, 0xbf3984, 0xcc4778, 0xdc5d67, 0xf2844b, 0xfdb130, 0xf8df25,
      0xf0f921}},
    {"cividis",
     {0x00224e, 0x003070, 0x35456c, 0x555c6d, 0x727274, 0x7d7c78, 0x8f8a78, 0xaea371, 0xd0be62, 0xf0d846,
      0xfee838}},
    {"gray",
     {0x000000, 0x141414, 0x333333, 0x535353, 0x737373, 0x808080, 0x939393, 0xb3b3b3, 0xd3d3d3, 0xf0f0f0,
      0xffffff}},
    {"coolwarm",
     {0x3b4cc0, 0x536edd, 0x7b9ff9, 0xa7c5fe, 0xcfdaea, 0xdddcdc, 0xeed0c0, 0xf7ac8e, 0xe9785d, 0xca3b37,
      0xb40426}},
    {"RdBu_r",
     {0x053061, 0x1b5a9c, 0x4393c3, 0xa2cde3, 0xe4eef4, 0xf7f6f6, 0xfce2d2, 0xf3a481, 0xcc4c44, 0x930e26,
      0x67001f}},
    {"bwr",
     {0x0000ff, 0x2828ff, 0x6666ff, 0xa6a6ff, 0xe6e6ff, 0xfffefe, 0xffd8d8, 0xff9898, 0xff5858, 0xff1e1e,
      0xff0000}},
    {"Blues",
     {0xf7fbff, 0xe7f1fa, 0xd0e1f2, 0xaed1e7, 0x7fb9da, 0x6aaed6, 0x529dcc, 0x2e7ebc, 0x125da6, 0x084082,
      0x08306b}},
    {"Greens",
     {0xf7fcf5, 0xecf8e8, 0xd3eecd, 0xb0dfaa, 0x86cc85, 0x73c476, 0x55b567, 0x2f974e, 0x0d7836, 0x005723,
      0x00441b}},
    {"Reds",
     {0xfff5f0, 0xfee8dd, 0xfdcab5, 0xfca285, 0xfb7a5a, 0xfb694a, 0xf44d38, 0xd92523, 0xb31218, 0x840711,
      0x67000d}},
    {"turbo",
     {0x30123b, 0x424bb5, 0x3e9bfe, 0x19e2bb, 0x79fe59, 0xa4fc3c, 0xd4e735, 0xfea431, 0xe7490c, 0xa91601,
      0x7a0403}},
    {"jet",
     {0x000080, 0x0000da, 0x004cff, 0x00ccff, 0x53ffa4, 0x7dff7a, 0xbaff3c, 0xffc400, 0xff4e00, 0xc40000,
      0x800000}},
};

/// CIE lightness of an sRGB colour.
double lightness(Color c) {
    const auto linear = [](double v) {
        return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
    };
    const double y =
        0.2126 * linear(c.r / 255.0) + 0.7152 * linear(c.g / 255.0) + 0.0722 * linear(c.b / 255.0);
    return y > 0.008856 ? 116 * std::cbrt(y) - 16 : 903.3 * y;
}

}  // namespace

TEST_CASE("colour maps are those of matplotlib to one level") {
    CHECK(colorMaps().size() == std::size(references));
    for (const Reference& reference : references) {
        const ColorMap& map = colorMap(reference.name);
        for (std::size_t i = 0; i < std::size(positions); ++i) {
            const Color c = map.colors[positions[i]];
            const auto expected = [&](int shift) {
                return static_cast<int>(reference.colors[i] >> shift & 255);
            };
            INFO(reference.name, " at ", positions[i]);
            CHECK(std::abs(c.r - expected(16)) <= 1);
            CHECK(std::abs(c.g - expected(8)) <= 1);
            CHECK(std::abs(c.b - expected(0)) <= 1);
            CHECK(c.a == 255);
        }
    }
}

TEST_CASE(
    "maps that are called perceptual get steadily lighter or darker, or have one extreme in the middle") {
    std::set<std::string> names;
    for (const ColorMap& map : colorMaps()) {
        CHECK(names.insert(map.name).second);
        CHECK_FALSE(map.help.empty());
        if (!map.perceptual) continue;
        int turns = 0;
        double direction = 0;
        for (int i = 8; i < 256; i += 8) {
            const double step = lightness(map.colors[i]) - lightness(map.colors[i - 8]);
            if (direction * step < 0) ++turns;
            direction = step;
        }
        INFO(map.name);
        CHECK(turns == (map.kind == ColorMap::Kind::Diverging ? 1 : 0));
    }
}

TEST_CASE("a colour map clamps, and NaN has no colour") {
    const ColorMap& map = colorMap("viridis");
    CHECK(map.at(-3) == map.colors.front());
    CHECK(map.at(7) == map.colors.back());
    CHECK(map.at(0.5) == map.colors[128]);
    CHECK(map.at(std::nan("")).a == 0);
}

TEST_CASE("an unknown colour map is a usage error that lists the known ones") {
    try {
        colorMap("viridiss");
        FAIL("no error");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::Usage);
        CHECK(std::string(error.what()).find("viridiss") != std::string::npos);
        CHECK(error.hint().find("viridis") != std::string::npos);
    }
}
