#include "fovea/viz/value_scale.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace fovea;
using namespace fovea::viz;

namespace {

constexpr float none = std::numeric_limits<float>::quiet_NaN();
const std::vector<float> sample = {0.001f, 0.01f, none, 0.1f, 0.02f};

Scale ofKind(Scale::Kind kind, double a = 0, double b = 0) {
    return {kind, a, b, a, b};
}

}  // namespace

TEST_CASE("linked and fixed scales keep their range whatever the picture holds") {
    for (const auto kind : {Scale::Kind::Linked, Scale::Kind::Fixed}) {
        const ValueScale scale(ofKind(kind, 0, 0.05), sample);
        CHECK(scale.position(0) == 0);
        CHECK(scale.position(0.025) == doctest::Approx(0.5));
        CHECK(scale.position(0.1) == 1);
        CHECK(scale.cutsAbove());
        CHECK_FALSE(scale.cutsBelow());
        CHECK(std::isnan(scale.position(none)));
    }
    const ValueScale picture(ofKind(Scale::Kind::Picture, 0, 0.05), sample);
    CHECK(picture.minimum() == doctest::Approx(0.001));
    CHECK(picture.maximum() == doctest::Approx(0.1));
    CHECK_FALSE(picture.cutsAbove());
    CHECK_THROWS_AS(ValueScale(ofKind(Scale::Kind::Fixed, 1, 1), sample), Error);
    CHECK_THROWS_AS(ValueScale(ofKind(Scale::Kind::Fixed, 0, std::nan("")), sample), Error);
}

TEST_CASE("a log scale gives equal steps to equal ratios and its ticks are powers of ten") {
    const ValueScale scale(ofKind(Scale::Kind::Log), sample);
    CHECK(scale.position(0.001f) == doctest::Approx(0));
    CHECK(scale.position(0.01) == doctest::Approx(0.5).epsilon(1e-6));
    CHECK(scale.position(0.1f) == doctest::Approx(1));
    CHECK(scale.position(0) == 0);
    const auto ticks = scale.ticks(5);
    REQUIRE(ticks.size() == 3);
    CHECK(ticks[1].label == "0.01");
    CHECK(ticks[1].position == doctest::Approx(0.5).epsilon(1e-6));
    const ValueScale wide(ofKind(Scale::Kind::Log), std::vector<float>{1e-30f, 0, 1});
    CHECK(wide.minimum() == doctest::Approx(1e-6));
    CHECK(wide.cutsBelow());
}

TEST_CASE("a rank scale is even whatever the distribution, and equal values share their rank") {
    const std::vector<float> values = {1, 100, 2, 50, 2};
    const ValueScale scale(ofKind(Scale::Kind::Rank), values);
    CHECK(scale.position(1) == 0);
    CHECK(scale.position(2) == doctest::Approx(1.5 / 4));
    CHECK(scale.position(50) == doctest::Approx(0.75));
    CHECK(scale.position(100) == 1);
    CHECK(scale.ticks(5).front().label == "1");
    CHECK(scale.ticks(5).back().label == "100");
}

TEST_CASE("signed values are scaled symmetrically around the middle") {
    const std::vector<float> values = {-0.2f, 0, 0.5f};
    for (const auto kind : {Scale::Kind::Linked, Scale::Kind::Picture, Scale::Kind::Log}) {
        const ValueScale scale(ofKind(kind), values, true);
        CHECK(scale.position(0) == doctest::Approx(0.5));
        CHECK(scale.position(0.5) == doctest::Approx(1));
        CHECK(scale.position(-0.5) == doctest::Approx(0));
        CHECK(scale.position(0.2f) + scale.position(-0.2f) == doctest::Approx(1));
    }
}

TEST_CASE("a threshold hides small values; of signed ones those around 0, on either side") {
    const std::vector<float> values = {-0.2f, 0, 0.5f};
    const ValueScale plain(ofKind(Scale::Kind::Picture), values, false);
    CHECK_FALSE(plain.shows(plain.position(-0.1), 0.3));
    CHECK(plain.shows(plain.position(0.1), 0.3));
    CHECK(plain.hiddenText(0.5) == "below 0.15");
    const ValueScale both(ofKind(Scale::Kind::Picture), values, true);
    for (const double value : {-0.5, -0.2, 0.2, 0.5}) CHECK(both.shows(both.position(value), 0.3));
    for (const double value : {-0.1, 0.0, 0.1}) CHECK_FALSE(both.shows(both.position(value), 0.3));
    CHECK(both.hiddenText(0.3) == "between -0.15 and 0.15");
    Scale lopsided = ofKind(Scale::Kind::Fixed);
    lopsided.minimum = -1;
    lopsided.maximum = 3;
    const ValueScale fixed(lopsided, values, true);
    CHECK_FALSE(fixed.shows(fixed.position(-0.5), 0.3));
    CHECK(fixed.shows(fixed.position(-0.95), 0.3));
    CHECK(fixed.hiddenText(0.3) == "between -0.9 and 0.9");
    for (const auto kind : {Scale::Kind::Linked, Scale::Kind::Log, Scale::Kind::Rank})
        for (const bool isSigned : {false, true})
            for (const double at : {0.0, 0.5, 1.0})
                CHECK(ValueScale(ofKind(kind), values, isSigned).shows(at, 0));
}

TEST_CASE("position and value are inverse, and ticks lie on the scale in order") {
    for (const auto kind : {Scale::Kind::Linked, Scale::Kind::Picture, Scale::Kind::Log})
        for (const bool isSigned : {false, true}) {
            const ValueScale scale(ofKind(kind), sample, isSigned);
            for (double t = 0; t <= 1; t += 0.125)
                CHECK(scale.position(scale.valueAt(t)) == doctest::Approx(t));
            double last = -1;
            for (const Tick& tick : scale.ticks(6)) {
                CHECK(tick.position >= -1e-9);
                CHECK(tick.position <= 1 + 1e-9);
                CHECK(tick.position > last);
                last = tick.position;
            }
        }
}

TEST_CASE("data without range or without numbers still make a scale") {
    for (const std::vector<float>& values :
         {std::vector<float>{}, {none}, {0, 0}, {3}, {-3, -3}, {1e38f, -1e38f}})
        for (const auto kind :
             {Scale::Kind::Linked, Scale::Kind::Picture, Scale::Kind::Log, Scale::Kind::Rank})
            for (const bool isSigned : {false, true}) {
                const ValueScale scale(ofKind(kind), values, isSigned);
                for (const double v : {-3.0, 0.0, 3.0, 1e38}) {
                    CHECK(scale.position(v) >= 0);
                    CHECK(scale.position(v) <= 1);
                }
                for (const Tick& tick : scale.ticks(5)) CHECK(std::isfinite(tick.position));
            }
    CHECK(ValueScale(ofKind(Scale::Kind::Picture), std::vector<float>{3}).position(3) == 1);
}

TEST_CASE("numbers read well") {
    CHECK(valueText(0.0123456) == "0.0123");
    CHECK(valueText(1) == "1");
    CHECK(valueText(1250) == "1250");
    CHECK(valueText(-0.5) == "-0.5");
    CHECK(valueText(1.2e-5) == "1.2e-5");
    CHECK(valueText(3e20) == "3e20");
    CHECK(valueText(0) == "0");
    CHECK(valueText(std::nan("")) == "no value");
    const auto labels = [](double low, double high, int count) {
        std::string all;
        for (const Tick& tick : niceTicks(low, high, count)) all += tick.label + " ";
        return all;
    };
    CHECK(labels(0, 1, 5) == "0.0 0.2 0.4 0.6 0.8 1.0 ");
    CHECK(labels(-0.25, 11.25, 8) == "0 2 4 6 8 10 ");
    CHECK(labels(0, 0.02, 4) == "0.000 0.005 0.010 0.015 0.020 ");
    CHECK(labels(0, 2e-5, 4) == "0 5e-6 1e-5 1.5e-5 2e-5 ");
    CHECK(labels(3, 3, 4) == "3 ");
}

TEST_CASE("values that are practically equal are one colour, and the scale says so") {
    std::vector<float> values;
    for (int i = 0; i < 50; ++i) values.push_back(0.005F * (1 + 1e-4F * static_cast<float>(i % 7)));
    for (const auto kind : {Scale::Kind::Linked, Scale::Kind::Picture, Scale::Kind::Log, Scale::Kind::Rank}) {
        const ValueScale scale({kind, 0, 0, 0, 0}, values);
        CHECK(scale.nearlyConstant());
        CHECK(scale.description().find("practically constant") != std::string::npos);
        double low = 1, high = 0;
        for (const float value : values) {
            low = std::min(low, scale.position(value));
            high = std::max(high, scale.position(value));
        }
        CHECK(high - low < 0.01);
    }
    const ValueScale same({Scale::Kind::Picture, 0, 0, 0, 0}, std::vector<float>{3, 3, 3});
    CHECK(same.nearlyConstant());
    CHECK_FALSE(ValueScale({Scale::Kind::Picture, 0, 0, 0, 0}, std::vector<float>{3}).nearlyConstant());
    // A range that was asked for, one that other pictures share, signed values and real structure are drawn as they are.
    CHECK_FALSE(ValueScale({Scale::Kind::Fixed, 0.005, 0.00501, 0, 0}, values).nearlyConstant());
    CHECK_FALSE(ValueScale({Scale::Kind::Linked, 0, 0, 0, 0.1}, values).nearlyConstant());
    CHECK_FALSE(ValueScale({Scale::Kind::Linked, 0, 0, 0, 0}, values, true).nearlyConstant());
    values.push_back(0.006F);
    const ValueScale wide({Scale::Kind::Linked, 0, 0, 0, 0}, values);
    CHECK_FALSE(wide.nearlyConstant());
    CHECK(wide.position(0.005) == doctest::Approx(0));
    CHECK(wide.description() == "linked scale");
}

TEST_CASE("the strength of a value grows from nothing") {
    const std::vector<float> values = {0, 1, 2};
    const ValueScale plain({Scale::Kind::Linked, 0, 0, 0, 0}, values);
    CHECK(plain.strength(0) == 0);
    CHECK(plain.strength(0.25) == 0.25);
    const ValueScale around({Scale::Kind::Linked, 0, 0, 0, 0}, values, true);
    CHECK(around.strength(around.position(0)) == 0);
    CHECK(around.strength(around.position(2)) == 1);
    CHECK(around.strength(around.position(-2)) == 1);
}
