#include "common/rollout_chain.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

using fovea::Array;

namespace {

Array square(std::vector<float> values) {
    Array map;
    const auto side = static_cast<std::int64_t>(values.size() == 4 ? 2 : 3);
    map.shape = {side, side};
    map.values = std::move(values);
    return map;
}

std::vector<double> row(const std::vector<Array>& layers, std::size_t query) {
    std::vector<double> weights(static_cast<std::size_t>(layers.front().size(0)), 0.0);
    weights[query] = 1;
    for (std::size_t i = layers.size(); i-- > 0;) {
        std::vector<double> below(weights.size(), 0.0);
        fovea::rolloutStep(layers[i], 0, weights, below);
        weights = below;
    }
    return weights;
}

}  // namespace

TEST_CASE("rollout of the two-layer golden example") {
    const std::vector<Array> layers(2, square({.5F, .5F, 0, 1}));
    CHECK(row(layers, 0) == std::vector<double>{.5625, .4375});
    CHECK(row(layers, 1) == std::vector<double>{0, 1});
}

TEST_CASE("rollout multiplies later layers from the left") {
    const Array first = square({.2F, .8F, .6F, .4F}), second = square({.9F, .1F, .3F, .7F});
    // Row 0 of (I + A2)/2 (I + A1)/2.
    const double expected0 = .95 * .6 + .05 * .3, expected1 = .95 * .4 + .05 * .7;
    const std::vector<double> found = row({first, second}, 0);
    CHECK(found[0] == doctest::Approx(expected0));
    CHECK(found[1] == doctest::Approx(expected1));
}

TEST_CASE("rollout of the identity is the identity, and rows sum to 1 even where fused rows do not") {
    CHECK(row({square({1, 0, 0, 1}), square({1, 0, 0, 1})}, 1) == std::vector<double>{0, 1});
    const std::vector<double> found = row({square({.1F, .2F, .1F, .3F, .1F, .2F, 0, 0, 0})}, 0);
    CHECK(std::accumulate(found.begin(), found.end(), 0.0) == doctest::Approx(1));
    CHECK(found[0] == doctest::Approx(1.1 / 1.4));
}

TEST_CASE("a row block continues where the one before ended") {
    const Array whole = square({.2F, .3F, .5F, .1F, .1F, .8F, .6F, .2F, .2F});
    const std::vector<double> weights{.2, .5, .3};
    std::vector<double> once(3, 0.0), twice(3, 0.0);
    fovea::rolloutStep(whole, 0, weights, once);
    Array top({1, 3}), rest({2, 3});
    std::copy_n(whole.values.begin(), 3, top.values.begin());
    std::copy_n(whole.values.begin() + 3, 6, rest.values.begin());
    fovea::rolloutStep(top, 0, weights, twice);
    fovea::rolloutStep(rest, 1, weights, twice);
    for (int i = 0; i < 3; ++i)
        CHECK(twice[static_cast<std::size_t>(i)] == doctest::Approx(once[static_cast<std::size_t>(i)]));
}

TEST_CASE("discarding drops exactly the lowest share, ties by place") {
    Array map = square({.4F, .1F, .2F, .1F, .3F, .1F, .5F, .6F, .7F});
    fovea::discardLowest(map, 2.0 / 9 + 1e-9);
    CHECK(map.values == std::vector<float>{.4F, 0, .2F, 0, .3F, .1F, .5F, .6F, .7F});
    fovea::discardLowest(map, 0);
    CHECK(map.values[5] == .1F);
    fovea::discardLowest(map, 1);
    CHECK(std::accumulate(map.values.begin(), map.values.end(), 0.0F) == 0);
}

TEST_CASE("a map that passes in blocks loses the same entries") {
    Array whole({30, 17});
    for (std::size_t i = 0; i < whole.values.size(); ++i)
        whole.values[i] = static_cast<float>((i * 7919) % 53) / 53 - 0.2F;  // negative ones and many equals, too
    for (const double ratio : {0.0, 0.01, 0.5, 0.93, 1.0}) {
        Array expected = whole;
        std::vector<std::size_t> order(whole.values.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return whole.values[a] < whole.values[b]; });
        const auto count = static_cast<std::size_t>(ratio * static_cast<double>(order.size()));
        for (std::size_t i = 0; i < count; ++i) expected.values[order[i]] = 0;
        const auto blocks = [&](auto use) {
            for (std::int64_t row = 0; row < 30; row += 7) {
                const std::int64_t rows = std::min<std::int64_t>(7, 30 - row);
                Array block({rows, 17});
                std::copy_n(whole.values.begin() + row * 17, rows * 17, block.values.begin());
                use(std::move(block));
            }
        };
        fovea::LowestShare lowest(30 * 17, ratio, [&](const std::function<void(const Array&)>& use) { blocks(use); });
        std::vector<float> found;
        blocks([&](Array block) {
            lowest.apply(block);
            found.insert(found.end(), block.values.begin(), block.values.end());
        });
        CHECK(found == expected.values);
    }
}
