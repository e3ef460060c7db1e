#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "common/attention_distance.h"
#include "common/linear_algebra.h"
#include "common/robust_statistics.h"
#include "common/target_choice.h"
#include "fovea/sinks.h"

using namespace fovea;

namespace {

// Mean distance under uniform attention over a grid, in patches.
double uniformDistance(int side) {
    std::vector<AttentionDistance::Cell> cells{{-1, -1}};  // a class token first
    for (int i = 0; i < side * side; ++i) cells.emplace_back(i / side, i % side);
    const AttentionDistance distance(cells, cells);
    const std::vector<float> row(cells.size(), 1.0F / static_cast<float>(cells.size()));
    CHECK(std::isnan(distance.ofRow(0, row.data())));
    double sum = 0;
    for (std::size_t query = 1; query < cells.size(); ++query) sum += distance.ofRow(query, row.data());
    return sum / (side * side);
}

}  // namespace

TEST_CASE("mean attention distance of uniform attention: golden values") {
    CHECK(std::abs(uniformDistance(14) * 16 - 116.492) < 1e-3);
    CHECK(std::abs(uniformDistance(16) * 14 - 116.565) < 1e-3);
    CHECK(std::abs(uniformDistance(24) * 14 - 175.042) < 1e-3);
}

TEST_CASE("attention on oneself has distance 0, and mass outside the picture does not count") {
    const AttentionDistance distance({{0, 0}, {2, 3}}, {{-1, -1}, {0, 0}, {2, 3}});
    const float own[] = {0, 1, 0}, across[] = {.5F, 0, .5F}, outside[] = {1, 0, 0};
    CHECK(distance.ofRow(0, own) == 0);
    CHECK(distance.ofRow(0, across) == doctest::Approx(std::sqrt(13.0)));
    CHECK(std::isnan(distance.ofRow(0, outside)));
}

TEST_CASE("effective rank: one for equal rows, full for the identity, exp of the entropy in between") {
    Array matrices({3, 4, 4});
    for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < 4; ++j) matrices.at(0, i, j) = .25F;
        matrices.at(1, i, i) = 1;
    }
    matrices.at(2, 0, 0) = 3, matrices.at(2, 1, 1) = 1;
    const std::vector<double> ranks = effectiveRanks(matrices);
    CHECK(ranks[0] == doctest::Approx(1).epsilon(1e-5));
    CHECK(ranks[1] == doctest::Approx(4).epsilon(1e-9));
    CHECK(ranks[2] == doctest::Approx(std::exp(-.75 * std::log(.75) - .25 * std::log(.25))).epsilon(1e-9));
    Array tall({1, 5, 2});
    tall.at(0, 0, 0) = 1, tall.at(0, 4, 1) = 1;
    CHECK(effectiveRanks(tall)[0] == doctest::Approx(2));
}

TEST_CASE("matrix product") {
    CHECK(multiplied({1, 2, 3, 4}, {0, 1, 1, 0}, 2) == std::vector<double>{2, 1, 4, 3});
}

TEST_CASE("robust z finds an outlier that a plain z would hide") {
    std::vector<double> norms{10, 11, 9, 10.5, 9.5, 10, 11, 9, 60};
    const std::vector<double> z = robustZ(norms, norms);
    CHECK(median(norms) == 10);
    CHECK(z[8] == doctest::Approx(50 / 1.4826));
    CHECK(z[0] == 0);
    CHECK(robustZ({5, 5, 6}, {5, 5, 5, 5, 10})[2] == doctest::Approx(1 / 1.2533));
    CHECK(robustZ({5, 7}, {5, 5}) == std::vector<double>{0, 0});
    CHECK(median({4, 1, 3, 2}) == 2.5);
}

TEST_CASE("sink limits") {
    SinkRule rule;
    CHECK(rule.of(197) == doctest::Approx(5.0 / 197));
    rule.limit = SinkRule::Limit::Absolute;
    CHECK(rule.of(197) == 0.3);
}

TEST_CASE("classes by index, label and top") {
    const std::vector<std::string> labels{"tench", "Tabby Cat", "crane", "Crane", "7"};
    CHECK(resolveClass("top", labels, 5) == -1);
    CHECK(resolveClass("-1", labels, 5) == -1);
    CHECK(resolveClass("2", labels, 5) == 2);
    CHECK(resolveClass("tabby cat", labels, 5) == 1);
    CHECK(resolveClass("Crane", labels, 5) == 3);
    CHECK_THROWS_AS(resolveClass("CRANE", labels, 5), Error);
    CHECK_THROWS_AS(resolveClass("7", labels, 5), Error);
    CHECK_THROWS_AS(resolveClass("dog", labels, 5), Error);
    try {
        resolveClass("cat", labels, 5);
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::Usage);
        CHECK(error.hint().find("Tabby Cat") != std::string::npos);
    }
}
