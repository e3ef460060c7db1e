// Masks as descriptions: offsets, windows and prefixes, by every route, against the rule written out.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "attention/kernel_statistics.h"
#include "attention/routes.h"
#include "attention/trace_impl.h"
#include "attention/visibility.h"

using namespace fovea;

namespace {

struct Mask {
    std::int64_t queries, keys, offset, window, prefix;
};

bool sees(const Mask& mask, std::int64_t query, std::int64_t key) {
    const std::int64_t place = query + mask.offset;
    return (key <= place || key < mask.prefix) && (mask.window < 0 || key >= place - mask.window);
}

AttentionCall callOf(const Mask& mask, std::int64_t heads = 4, std::int64_t kept = 2) {
    at::Generator generator = at::detail::createCPUGenerator(7);
    const auto random = [&](std::int64_t h, std::int64_t tokens) {
        return at::randn({1, h, tokens, 8}, generator, at::TensorOptions(at::kFloat));
    };
    AttentionCall call;
    call.query = random(heads, mask.queries);
    call.key = random(kept, mask.keys);
    call.value = random(kept, mask.keys);
    call.scale = 0.5;
    call.causal = true;
    call.queryOffset = mask.offset;
    call.windowLeft = mask.window;
    call.prefix = mask.prefix;
    return call;
}

double apart(const at::Tensor& a, const at::Tensor& b) {
    REQUIRE(a.sizes() == b.sizes());
    return (a - b).abs().max().item<double>();
}

const std::vector<Mask> kMasks = {
    {9, 9, 0, -1, 0},    {9, 9, 0, 3, 0},   {9, 9, 0, 0, 0},    {9, 9, 0, 8, 0},   {9, 9, 0, -1, 4},
    {9, 9, 0, -1, 9},    {9, 9, 0, 6, 5},   {1, 14, 13, -1, 0}, {1, 14, 13, 4, 0}, {1, 14, 13, 13, 0},
    {4, 14, 10, -1, 0},  {4, 14, 10, 5, 0}, {4, 14, 10, -1, 6}, {1, 14, 13, -1, 3}, {700, 700, 0, 300, 0},
    {600, 600, 0, -1, 40}, {300, 900, 600, 50, 0}};

}  // namespace

TEST_CASE("hidden keys are those of the rule") {
    for (const Mask& mask : kMasks) {
        const at::Tensor hidden = hiddenKeys(callOf(mask), {0, mask.queries, 0, mask.keys});
        const bool* found = hidden.contiguous().const_data_ptr<bool>();
        std::int64_t wrong = 0;
        for (std::int64_t q = 0; q < mask.queries; ++q)
            for (std::int64_t k = 0; k < mask.keys; ++k) wrong += found[q * mask.keys + k] == sees(mask, q, k);
        CHECK(wrong == 0);
    }
}

TEST_CASE("fused routes serve every described mask like the explicit one") {
    const auto dense = makeDenseOperator();
    for (const std::int64_t kept : {4, 2, 1})
        for (const Mask& mask : kMasks) {
            INFO(mask.queries, " of ", mask.keys, " offset ", mask.offset, " window ", mask.window, " prefix ", mask.prefix);
            const AttentionCall call = callOf(mask, 4, kept);
            RouteTable fused(RouteChoice::Auto), plain(RouteChoice::Explicit);
            const RouteOutput a = fused.run(call, *dense), b = plain.run(call, *dense);
            CHECK(fused.reports().front().route == "flash_cpu");
            CHECK(fused.reports().front().calls == 1);
            CHECK(apart(a.output, b.output) < 2e-6);
            CHECK(apart(a.lse, b.lse) < 2e-6);
        }
}

TEST_CASE("a bias beside a described mask counts as well") {
    const auto dense = makeDenseOperator();
    for (const Mask& mask : kMasks) {
        AttentionCall call = callOf(mask);
        at::Generator generator = at::detail::createCPUGenerator(9);
        call.bias = at::randn({1, 4, mask.queries, mask.keys}, generator, at::TensorOptions(at::kFloat));
        RouteTable fused(RouteChoice::Auto), plain(RouteChoice::Explicit);
        CHECK(apart(fused.run(call, *dense).output, plain.run(call, *dense).output) < 2e-6);
    }
}

TEST_CASE("statistics of described masks come from the kernels and equal the explicit ones") {
    const auto dense = makeDenseOperator();
    for (const Mask& mask : kMasks) {
        SiteRecord record;
        record.call = callOf(mask);
        record.queryTokens.resize(static_cast<std::size_t>(mask.queries));
        record.keyTokens.resize(static_cast<std::size_t>(mask.keys));
        const SiteStatistics fast = computeStatistics(*dense, record, {8, 8});
        const SiteStatistics slow = computeStatistics(*dense, record, {8, 4});
        CHECK(fast.route == "kernel");
        CHECK(slow.route != "kernel");
        double worst = 0;
        for (std::size_t i = 0; i < fast.colsum.values.size(); ++i)
            worst = std::max(worst, std::abs(static_cast<double>(fast.colsum.values[i] - slow.colsum.values[i])));
        CHECK(worst < 1e-4);
    }
}
