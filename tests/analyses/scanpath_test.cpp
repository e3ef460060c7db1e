#include "common/scanpath_rules.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

using namespace fovea;

namespace {

// 0.05 plus Gaussians (SD 1.2 cells) of height 2.0, 1.5, 1.0 at (4,3), (12,8), (8,6) as column, row; 16 x 12
// cells.
SalienceMap threePeaks() {
    SalienceMap map{12, 16, std::vector<double>(12 * 16, 0.05)};
    const double peaks[][3] = {{4, 3, 2.0}, {12, 8, 1.5}, {8, 6, 1.0}};
    for (int row = 0; row < 12; ++row)
        for (int column = 0; column < 16; ++column)
            for (const auto& [x, y, height] : peaks) {
                const double d2 = (column - x) * (column - x) + (row - y) * (row - y);
                map.at(row, column) += height * std::exp(-d2 / (2 * 1.2 * 1.2));
            }
    return map;
}

ScanpathRules simple() {
    ScanpathRules rules;
    rules.first = FirstFixation::Maximum;
    rules.minimumMass = 0;
    return rules;
}

}  // namespace

TEST_CASE("winner take all with multiplicative inhibition: measured golden path") {
    const std::vector<MapFixation> path = scanpath(threePeaks(), simple());
    REQUIRE(path.size() == 8);
    const int golden[][2] = {{3, 4}, {8, 12}, {6, 8}, {2, 3}};
    const double values[] = {2.0502, 1.5510, 1.0354, 0.3763};
    for (std::size_t i = 0; i < 4; ++i) {
        CAPTURE(i);
        CHECK(std::abs(path[i].value - values[i]) < 5e-4);
        if (i < 3) CHECK((path[i].row == golden[i][0] && path[i].column == golden[i][1]));
    }
    CHECK(path[1].onset == 250);
    CHECK(path[2].onset == 500);
}

TEST_CASE("a hard disk is never entered again, and equal peaks are visited once each before any revisit") {
    SalienceMap map{9, 9, std::vector<double>(81, 0.01)};
    for (const int at : {10, 16, 40, 64, 70}) map.values[static_cast<std::size_t>(at)] = 1;
    ScanpathRules rules = simple();
    rules.shape = InhibitionShape::Disk;
    rules.sigma = 1.5;
    rules.fixations = 5;
    std::set<int> seen;
    for (const MapFixation& f : scanpath(map, rules)) seen.insert(f.row * 9 + f.column);
    CHECK(seen == std::set<int>{10, 16, 40, 64, 70});
    rules.fixations = 40;
    const std::vector<MapFixation> path = scanpath(map, rules);
    for (std::size_t i = 0; i < path.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            CHECK(std::hypot(path[i].row - path[j].row, path[i].column - path[j].column) > 1.5);
}

TEST_CASE("stop rules") {
    ScanpathRules rules = simple();
    rules.fixations = 3;
    CHECK(scanpath(threePeaks(), rules).size() == 3);
    rules.fixations = 100;
    rules.totalTime = 1000;
    CHECK(scanpath(threePeaks(), rules).size() == 4);
    rules.totalTime = 0;
    rules.minimumMass = 0.5;
    const std::vector<MapFixation> path = scanpath(threePeaks(), rules);
    double taken = 0;
    for (std::size_t i = 0; i + 1 < path.size(); ++i) taken += path[i].mass;
    CHECK(taken < 0.5);
    CHECK(taken + path.back().mass > 0.5);
}

TEST_CASE("inhibition fades, so that a path returns to the strongest peak") {
    SalienceMap map{1, 9, {1, 0, 0, 0, 0, 0, 0, 0, .5}};
    ScanpathRules rules = simple();
    rules.sigma = 0.5;
    rules.fixations = 4;
    CHECK(scanpath(map, rules).size() == 2);
    rules.recovery = 100;
    const std::vector<MapFixation> path = scanpath(map, rules);
    REQUIRE(path.size() == 4);
    CHECK(path[1].column == 0);
    CHECK(path[1].value == doctest::Approx(1 - std::exp(-2.5)));
}

TEST_CASE("saccade length prefers near targets") {
    SalienceMap map{1, 30, std::vector<double>(30, 0.0)};
    map.values[0] = 2, map.values[3] = 1, map.values[29] = 1.5;
    ScanpathRules rules = simple();
    rules.sigma = 0.5;
    CHECK(scanpath(map, rules)[1].column == 29);
    rules.saccadeLength = 5;
    CHECK(scanpath(map, rules)[1].column == 3);
}

TEST_CASE("sampling follows the map (chi-square), and the seed decides") {
    SalienceMap map{1, 4, {.1, .2, .3, .4}};
    ScanpathRules rules = simple();
    rules.next = NextFixation::Sample;
    rules.strength = 0;
    rules.fixations = 20000;
    rules.seed = 5;
    const std::vector<MapFixation> path = scanpath(map, rules);
    double counts[4] = {}, chi = 0;
    for (const MapFixation& f : path) counts[f.column] += 1;
    for (int i = 0; i < 4; ++i) {
        const double expected = 20000 * map.values[static_cast<std::size_t>(i)];
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    CHECK(chi < 16.3);  // 99.9 % of 3 degrees of freedom
    const auto columns = [&](std::uint64_t seed) {
        rules.seed = seed;
        rules.fixations = 30;
        std::vector<int> list;
        for (const MapFixation& f : scanpath(map, rules)) list.push_back(f.column);
        return list;
    };
    CHECK(columns(1) == columns(1));
    CHECK(columns(1) != columns(2));
}

TEST_CASE("durations") {
    ScanpathRules rules = simple();
    rules.next = NextFixation::Sample;
    rules.strength = 0;
    rules.fixations = 20000;
    rules.duration = DurationRule::Gamma;
    double sum = 0, squares = 0;
    for (const MapFixation& f : scanpath(threePeaks(), rules))
        sum += f.duration, squares += f.duration * f.duration;
    const double mean = sum / 20000, deviation = std::sqrt(squares / 20000 - mean * mean);
    CHECK(mean == doctest::Approx(250).epsilon(0.01));
    CHECK(deviation == doctest::Approx(25).epsilon(0.05));
    rules.duration = DurationRule::Mass;
    rules.strength = 1;
    rules.fixations = 6;
    double longest = 0;
    for (const MapFixation& f : scanpath(threePeaks(), rules)) {
        CHECK(f.duration >= 180);
        longest = std::max(longest, f.duration);
    }
    CHECK(longest == doctest::Approx(580));
}

TEST_CASE("the first fixation is the centre where wanted") {
    ScanpathRules rules = simple();
    rules.first = FirstFixation::Centre;
    const std::vector<MapFixation> path = scanpath(threePeaks(), rules);
    CHECK(path[0].row == 5);
    CHECK(path[0].column == 7);
    CHECK(path[1].row == 3);
}

TEST_CASE("preparing a map: percentile, clipping, missing values, upsampling") {
    SalienceMap map{1, 5, {0, 1, 2, 3, 4}};
    const SalienceMap half = prepared(map, 50);
    CHECK(half.values == std::vector<double>{0, 0, 0, 1.0 / 3, 2.0 / 3});
    CHECK(prepared(SalienceMap{1, 2, {std::nan(""), -3}}, 0).values == std::vector<double>{0, 0});
    const SalienceMap wide = upsampled(SalienceMap{1, 2, {0, 1}}, 3);
    REQUIRE(wide.columns == 6);
    CHECK(wide.at(0, 1) == 0);  // the centres of the old cells keep their values
    CHECK(wide.at(1, 4) == 1);
    CHECK(wide.at(0, 2) == doctest::Approx(1.0 / 3));
    CHECK(scanpath(SalienceMap{2, 2, {0, 0, 0, 0}}, simple()).empty());
    CHECK(scanpath(SalienceMap{}, simple()).empty());
}
