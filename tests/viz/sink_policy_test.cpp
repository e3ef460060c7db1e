#include "picture/sink_policy.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numeric>

using namespace fovea::viz;

namespace {

constexpr float none = std::numeric_limits<float>::quiet_NaN();

double finiteSum(const std::vector<float>& values) {
    double sum = 0;
    for (const float v : values) sum += std::isnan(v) ? 0 : v;
    return sum;
}

const std::vector<float> start = {0.5f, 0.1f, none, 0.2f, 0.1f};
const std::vector<int> sinks = {0, 7, -1};  // one that exists, two that do not

}  // namespace

TEST_CASE("keep changes nothing") {
    std::vector<float> values = {0.5f, 0.1f, 0.4f};
    CHECK(applySinkPolicy(values, sinks, SinkPolicy::Keep, false) == 0);
    CHECK(values == std::vector<float>{0.5f, 0.1f, 0.4f});
}

TEST_CASE("mask takes the sink away and keeps sum and proportions of the rest") {
    std::vector<float> values = start;
    CHECK(applySinkPolicy(values, sinks, SinkPolicy::Mask, false) == doctest::Approx(0.5));
    CHECK(std::isnan(values[0]));
    CHECK(std::isnan(values[2]));
    CHECK(finiteSum(values) == doctest::Approx(finiteSum(start)));
    CHECK(values[3] / values[1] == doctest::Approx(2));
}

TEST_CASE("redistribute gives every other token the same part and keeps the sum") {
    std::vector<float> values = start;
    CHECK(applySinkPolicy(values, sinks, SinkPolicy::Redistribute, false) == doctest::Approx(0.5));
    CHECK(values[0] == 0);
    CHECK(std::isnan(values[2]));
    CHECK(finiteSum(values) == doctest::Approx(finiteSum(start)));
    for (const int i : {1, 3, 4}) CHECK(values[i] - start[i] == doctest::Approx(0.5 / 3));
}

TEST_CASE("signed values are masked without scaling, whatever the policy") {
    for (const auto policy : {SinkPolicy::Mask, SinkPolicy::Redistribute}) {
        std::vector<float> values = {5, -1, 2};
        applySinkPolicy(values, std::vector<int>{0}, policy, true);
        CHECK(std::isnan(values[0]));
        CHECK(values[1] == -1);
        CHECK(values[2] == 2);
    }
}

TEST_CASE("maps of nothing but sinks or without values survive") {
    std::vector<float> only = {0.5f}, empty, missing = {none, none};
    applySinkPolicy(only, std::vector<int>{0}, SinkPolicy::Mask, false);
    CHECK(std::isnan(only[0]));
    CHECK(applySinkPolicy(empty, sinks, SinkPolicy::Redistribute, false) == 0);
    CHECK(applySinkPolicy(missing, sinks, SinkPolicy::Mask, false) == 0);
}
