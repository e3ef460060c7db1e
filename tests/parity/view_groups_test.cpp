// Views and pictures of a prompt: grouping them, gathering their features, and tensors that hardly can be meant so.
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "fovea/error.h"
#include "nn/input_tensors.h"
#include "nn/vlm_tokens.h"

using namespace fovea;

TEST_CASE("views that are grouped otherwise than the tensors say stay in their order") {
    const auto picture = [](std::initializer_list<double> values) {
        VlmPicture made;
        for (const double value : values) made.passes.push_back({at::full({1, 3, 8, 8}, value), {}, {}});
        return made;
    };
    const auto valuesOf = [](const std::vector<VlmPicture>& pictures) {
        std::vector<std::vector<double>> values;
        for (const VlmPicture& made : pictures) {
            values.emplace_back();
            for (const TowerInput& pass : made.passes) values.back().push_back(pass.pixels.max().item<double>());
        }
        return values;
    };
    using Values = std::vector<std::vector<double>>;
    const std::vector<VlmPicture> four = {picture({1}), picture({2}), picture({3}), picture({4})};
    CHECK(valuesOf(grouped(four, {3, 1})) == Values{{1, 2, 3}, {4}});
    CHECK(valuesOf(grouped(four, {1, 1, 1, 1})) == Values{{1}, {2}, {3}, {4}});
    CHECK(valuesOf(grouped({picture({1, 2}), picture({3})}, {1, 2})) == Values{{1}, {2, 3}});
    for (const std::vector<std::size_t>& counts :
         std::vector<std::vector<std::size_t>>{{}, {4, 1}, {3}, {2, 0, 2}, {2, 2, 0}, {std::size_t{1} << 63, 4}})
        CHECK_THROWS_AS(grouped(four, counts), Error);
    std::vector<VlmPicture> tiled = four;
    tiled.front().tileRows = tiled.front().tileColumns = 1;
    CHECK_THROWS_AS(grouped(tiled, {2, 2}), Error);
    CHECK(valuesOf(grouped(tiled, {1, 1, 1, 1})).size() == 4);
}

TEST_CASE("cells without a feature are refused, those with one are gathered") {
    const auto cell = [](int pass, std::int64_t index) { return FeatureCell{pass, 0, 0, index, 0, 0}; };
    const std::vector<at::Tensor> features = {at::full({2, 4}, 1.0), at::full({3, 4}, 2.0)};
    const at::Tensor newline = at::full({4}, 7.0);
    const at::Tensor got = gathered({cell(1, 2), cell(-1, 0), cell(0, 1)}, features, newline);
    REQUIRE(got.size(0) == 3);
    CHECK(got[0][0].item<double>() == 2);
    CHECK(got[1][0].item<double>() == 7);
    CHECK(got[2][0].item<double>() == 1);
    for (const FeatureCell& wrong : {cell(2, 0), cell(0, 2), cell(1, 3), cell(1, -1)})
        CHECK_THROWS_AS(gathered({wrong}, features, newline), Error);
    CHECK_THROWS_AS(gathered({cell(-1, 0)}, features, {}), Error);
    CHECK_THROWS_AS(gathered({}, features, newline), Error);
    CHECK_THROWS_AS(gathered({cell(0, 0)}, {}, newline), Error);
}

TEST_CASE("tensors that are allowed but rarely meant are noticed") {
    const auto whole = [](std::int64_t value) { return at::full({1, 5}, value, at::kLong); };
    TensorItem item{{"input_ids", whole(7)}, {"attention_mask", whole(1)}};
    CHECK(doubtfulTensors(item, {100, -1}).empty());
    CHECK(doubtfulTensors({}, {100}).empty());
    item["attention_mask"] = whole(0);
    REQUIRE(doubtfulTensors(item, {100, -1}).size() == 1);
    CHECK(doubtfulTensors(item, {100, -1}).front().find("attention_mask") != std::string::npos);
    item.erase("attention_mask");
    item["input_ids"] = whole(100);
    const std::vector<std::string> blind = doubtfulTensors(item, {100, -1});
    REQUIRE(blind.size() == 1);
    CHECK(blind.front().starts_with("input_ids: 5 tokens stand for pictures"));
    item["pixel_values_videos"] = at::full({2, 3}, 0.5);
    CHECK(doubtfulTensors(item, {100, -1}).empty());
}
