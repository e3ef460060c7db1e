// Queries and keys turned as one tensor have the bits that they have when each is turned.
#include "nn/rotary_pair.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sin.h>
#include <doctest/doctest.h>

using namespace fovea;

TEST_CASE("queries and keys turned together are those turned apart, bit for bit") {
    at::Generator generator = at::detail::createCPUGenerator(5);
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf, at::kDouble})
        for (const std::int64_t tokens : {1, 3}) {
            const auto random = [&](std::vector<std::int64_t> sizes) {
                return at::randn(sizes, generator, at::TensorOptions(at::kFloat)).to(type);
            };
            const at::Tensor angle = random({tokens, 8});
            const RotaryTable table{at::cos(angle), at::sin(angle)};
            // As projections leave them: tokens before heads.
            const at::Tensor query = random({1, tokens, 6, 8}).transpose(1, 2);
            const at::Tensor key = random({1, tokens, 2, 8}).transpose(1, 2);
            const auto [turnedQuery, turnedKey] = RotaryPair(table)(query, key);
            CHECK(at::equal(turnedQuery, rotate(query, table)));
            CHECK(at::equal(turnedKey, rotate(key, table)));
        }
    CHECK_FALSE(RotaryPair().defined());
}
