// What must hold without a reference: determinism, identities, independence of what else is asked.
#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "kernels/support.h"

using namespace kernel_tests;
using namespace fovea::kernels;

namespace {

bool sameBytes(const StatsOutputs& a, const StatsOutputs& b) {
    return a.lse.sameBytes(b.lse) && a.colSum.sameBytes(b.colSum) && a.colMax.sameBytes(b.colMax) &&
           a.colArgmax.sameBytes(b.colArgmax) && a.rowMax.sameBytes(b.rowMax) &&
           a.rowEntropy.sameBytes(b.rowEntropy) && a.rowSum.sameBytes(b.rowSum) &&
           a.rowArgmax.sameBytes(b.rowArgmax) && a.topValue.sameBytes(b.topValue) &&
           a.topIndex.sameBytes(b.topIndex) && a.colTopValue.sameBytes(b.colTopValue) &&
           a.colTopIndex.sameBytes(b.colTopIndex) && a.pooledMean.sameBytes(b.pooledMean) &&
           a.pooledMax.sameBytes(b.pooledMax) && a.mass.sameBytes(b.mass);
}

StatsOutputs run(const Case& test, const Runner& runner, unsigned parts = StatsOutputs::All) {
    StatsOutputs outputs(test.problem, parts, 4, 64, 3);
    REQUIRE(outputs.run(test.problem, runner) == FV_OK);
    return outputs;
}

Case* longCase(fv_dtype dtype) {
    Case* test = new Case({.dtype = dtype, .qHeads = 4, .kvHeads = 2, .tq = 1370, .tk = 1370, .d = 32});
    test->problem.causal = 1;
    return test;
}

}  // namespace

TEST_CASE("determinism: 1, 2, 3 and 7 threads and repeats give the same bytes") {
    for (fv_dtype dtype : {FV_F32, FV_BF16}) {
        const std::unique_ptr<Case> test(longCase(dtype));
        const StatsOutputs one = run(*test, {});
        for (int threads : {1, 2, 3, 7, 2, 7}) CHECK(sameBytes(one, run(*test, {FV_LEVEL_BEST, threads})));
    }
}

TEST_CASE("determinism: lines, tiles, products, relevance and the forward pass") {
    Case test({.dtype = FV_BF16, .batch = 2, .qHeads = 6, .kvHeads = 2, .tq = 333, .tk = 777, .d = 40});
    test.problem.causal = 1;
    test.problem.q_offset = 444;
    const fv_problem& p = test.problem;
    const std::vector<int32_t> lines{332, 5, 0, 119};
    const std::vector<float> x(12 * 777 * 2, 0.5f);
    const auto everything = [&](int threads) {
        const Runner runner{FV_LEVEL_BEST, threads};
        std::vector<float> out(static_cast<size_t>(2 * 6 * 777 * 40 + 64));
        std::vector<std::vector<float>> results;
        const auto keep = [&](fv_status status) {
            REQUIRE(status == FV_OK);
            results.push_back(out);
            std::fill(out.begin(), out.end(), 0.0f);
        };
        for (fv_head_reduce heads : {FV_HEADS_NONE, FV_HEADS_MEAN}) {
            fv_lines_request rows{sizeof rows, lines.data(), nullptr, 4, heads, {out.data(), 6 * 3108, 3108}};
            keep(call<fv_lines_request>(fv_lines_workspace, fv_lines_run, p, rows, runner));
            rows.columns = rows.rows;
            rows.rows = nullptr;
            keep(call<fv_lines_request>(fv_lines_workspace, fv_lines_run, p, rows, runner));
            const fv_output pixels{out.data(), 6 * 9000, 9000};
            const fv_tile_request tile{sizeof tile, 3, 330, 0, 777, 90, 100, FV_TILE_MEAN, heads, pixels};
            keep(call<fv_tile_request>(fv_tile_workspace, fv_tile_run, p, tile, runner));
            fv_product_request product{};
            product.struct_size = sizeof product;
            product.columns = 2;
            product.x = x.data();
            product.mean_heads = heads == FV_HEADS_MEAN;
            product.out = {out.data(), 6 * 1554, 1554};
            for (product.transposed = 0; product.transposed < 2; ++product.transposed) {
                keep(call<fv_product_request>(fv_product_workspace, fv_product_run, p, product, runner));
            }
        }
        const fv_relevance_request relevance{sizeof relevance, FV_POSITIVE, 2,
                                             x.data(),         0,           {out.data(), 1554, 0}};
        keep(call<fv_relevance_request>(fv_relevance_workspace, fv_relevance_run, p, relevance, runner));
        fv_forward_request forward{};
        forward.struct_size = sizeof forward;
        forward.out = {out.data(), 6 * 333 * 40, 333 * 40};
        forward.out_stride_t = 40;
        keep(call<fv_forward_request>(fv_forward_workspace, fv_forward_run, p, forward, runner));
        return results;
    };
    const auto one = everything(1);
    for (int threads : {1, 2, 3, 7}) CHECK(everything(threads) == one);
}

TEST_CASE("determinism: 20 repeats") {
    Case test({.qHeads = 3, .kvHeads = 3, .tq = 197, .tk = 197, .d = 64});
    const StatsOutputs first = run(test, {FV_LEVEL_BEST, 3});
    for (int repeat = 1; repeat < 20; ++repeat) CHECK(sameBytes(first, run(test, {FV_LEVEL_BEST, 3})));
}

TEST_CASE("determinism: an output does not depend on which others are asked for") {
    const std::unique_ptr<Case> test(longCase(FV_F32));
    const StatsOutputs all = run(*test, {FV_LEVEL_BEST, 2});
    CHECK(all.colSum.sameBytes(run(*test, {}, StatsOutputs::Columns).colSum));
    CHECK(all.colMax.sameBytes(run(*test, {}, StatsOutputs::Columns).colMax));
    CHECK(all.colArgmax.sameBytes(run(*test, {}, StatsOutputs::ColumnArgmax).colArgmax));
    CHECK(all.rowMax.sameBytes(run(*test, {}, StatsOutputs::Rows).rowMax));
    CHECK(all.rowEntropy.sameBytes(run(*test, {}, StatsOutputs::Rows).rowEntropy));
    CHECK(all.topIndex.sameBytes(run(*test, {}, StatsOutputs::Top).topIndex));
    CHECK(all.topValue.sameBytes(run(*test, {}, StatsOutputs::Top).topValue));
    CHECK(all.colTopIndex.sameBytes(run(*test, {}, StatsOutputs::ColumnTop).colTopIndex));
    CHECK(all.pooledMean.sameBytes(run(*test, {}, StatsOutputs::Pool).pooledMean));
    CHECK(all.mass.sameBytes(run(*test, {}, StatsOutputs::Groups).mass));
    CHECK(all.lse.sameBytes(run(*test, {}, StatsOutputs::Sums).lse));
}

TEST_CASE("invariants at a length no reference reaches") {
    Case test({.dtype = FV_BF16, .tq = 4608, .tk = 4608, .d = 64});
    const StatsOutputs o = run(test, {FV_LEVEL_BEST, 2});
    const double rows = 4608;
    CHECK(std::accumulate(o.colSum.data(), o.colSum.data() + 4608, 0.0) ==
          doctest::Approx(rows).epsilon(1e-6));
    const double cells = std::accumulate(o.pooledMean.data(), o.pooledMean.data() + 72 * 72, 0.0) * 64 * 64;
    CHECK(cells == doctest::Approx(rows).epsilon(1e-6));
    int wrong = 0;
    for (int64_t i = 0; i < 4608; ++i) {
        wrong += std::abs(o.rowSum[i] - 1) > 2e-5;
        wrong += o.rowEntropy[i] < 0 || o.rowEntropy[i] > std::log(rows) + 1e-5;
        wrong += o.rowMax[i] < std::exp(-o.rowEntropy[i]) * (1 - 1e-5);
        wrong += o.topIndex[i * 4] != o.rowArgmax[i] || o.topValue[i * 4] != o.rowMax[i];
        wrong += o.colTopValue[i * 4] < o.colMax[i] * (1 - 1e-5) ||
                 o.colTopValue[i * 4] > o.colMax[i] * (1 + 1e-5);
    }
    CHECK(wrong == 0);
}

TEST_CASE("sampled rows of a long causal problem against float64") {
    Case test({.dtype = FV_F16, .batch = 3, .qHeads = 7, .kvHeads = 1, .tq = 64, .tk = 4097, .d = 40});
    test.problem.causal = 1;
    test.problem.q_offset = 4033;
    const StatsOutputs o = run(test, {FV_LEVEL_BEST, 3});
    for (int64_t i : {0, 9, 63}) {
        fv_problem one = test.problem;
        one.tq = 1;
        one.q_offset += i;
        one.query.data = static_cast<const char*>(one.query.data) + i * one.query.stride_t * 2;
        const DenseAttention dense = denseAttention(one);
        for (int64_t head = 0; head < 21; ++head) {
            const double* row = dense.row(head / 7, head % 7, 0);
            double entropy = 0;
            for (int64_t j = 0; j < 4097; ++j) entropy -= row[j] > 0 ? row[j] * std::log(row[j]) : 0;
            const int64_t at = head * 64 + i;
            CHECK(o.rowEntropy[at] == doctest::Approx(entropy).epsilon(5e-6));
            CHECK(o.rowMax[at] == doctest::Approx(*std::max_element(row, row + 4097)).epsilon(1e-5));
            CHECK(o.lse[at] == doctest::Approx(dense.lse[head]).epsilon(2e-6));
        }
    }
}

TEST_CASE("identity: permuting the keys permutes the columns exactly") {
    Case test({.tq = 300, .tk = 500, .d = 16}), shuffled({.tq = 300, .tk = 500, .d = 16});
    // Normalisers add in another order: they are given, so that a column does not depend on its place.
    const DenseAttention dense = denseAttention(test.problem);
    test.giveLse(dense, false);
    shuffled.giveLse(dense, false);
    for (int64_t j = 0; j < 500; ++j) {
        for (int64_t c = 0; c < 16; ++c) {
            shuffled.setElement(shuffled.problem.key, 0, 0, j * 7 % 500, c,
                                static_cast<float>(denseElement(test.problem.key, FV_F32, 0, 0, j, c)));
        }
    }
    const StatsOutputs a = run(test, {}), b = run(shuffled, {});
    for (int64_t j = 0; j < 500; ++j) {
        CHECK(a.colSum[j] == b.colSum[j * 7 % 500]);
        CHECK(a.colMax[j] == b.colMax[j * 7 % 500]);
        CHECK(a.colArgmax[j] == b.colArgmax[j * 7 % 500]);
    }
}

TEST_CASE("identity: grouped heads equal heads with copies of their keys, byte for byte") {
    Case grouped({.qHeads = 4, .kvHeads = 2, .tq = 140, .tk = 400, .d = 16}),
        expanded({.qHeads = 4, .kvHeads = 4, .tq = 140, .tk = 400, .d = 16});
    for (int64_t at = 0; at < 4 * 400 * 16; ++at) {
        const int64_t h = at / 6400, j = at / 16 % 400, c = at % 16;
        expanded.setElement(expanded.problem.key, 0, h, j, c,
                            static_cast<float>(denseElement(grouped.problem.key, FV_F32, 0, h / 2, j, c)));
        if (j < 140) {
            expanded.setElement(expanded.problem.query, 0, h, j, c,
                                static_cast<float>(denseElement(grouped.problem.query, FV_F32, 0, h, j, c)));
        }
    }
    CHECK(sameBytes(run(grouped, {}), run(expanded, {})));
}

TEST_CASE("identity: under causal, later tokens change nothing for earlier rows") {
    Case whole({.tq = 400, .tk = 400, .d = 16});
    whole.problem.causal = 1;
    Case part({.tq = 400, .tk = 400, .d = 16});
    part.problem.causal = 1;
    part.problem.tq = part.problem.tk = 250;
    const StatsOutputs a = run(whole, {}), b = run(part, {});
    for (int64_t i = 0; i < 250; ++i) {
        CHECK(a.rowEntropy[i] == b.rowEntropy[i]);
        CHECK(a.rowMax[i] == b.rowMax[i]);
        CHECK(a.lse[i] == b.lse[i]);
    }
}

TEST_CASE("identity: a constant added to the logits of a row changes nothing") {
    Case plain({.tq = 100, .tk = 200, .d = 16}), moved({.tq = 100, .tk = 200, .d = 16});
    plain.addBias(false);
    moved.addBias(false);
    for (int64_t i = 0; i < 100 * 200; ++i) {
        plain.bias[i] = 0;
        moved.bias[i] = static_cast<float>(i / 200 % 7) - 3;
    }
    const StatsOutputs a = run(plain, {}), b = run(moved, {});
    for (int64_t j = 0; j < 200; ++j) CHECK(a.colSum[j] == doctest::Approx(b.colSum[j]).epsilon(1e-5));
    for (int64_t i = 0; i < 100; ++i)
        CHECK(a.rowEntropy[i] == doctest::Approx(b.rowEntropy[i]).epsilon(1e-5));
}

TEST_CASE("identity: a pooled map is the tile of the same cells, and a tile the mean of its exact cells") {
    Case test({.tq = 512, .tk = 768, .d = 16});
    const StatsOutputs o = run(test, {});
    std::vector<float> pooled(8 * 12), exact(512 * 768);
    fv_tile_request request{sizeof(fv_tile_request), 0, 512, 0, 768, 8, 12, FV_TILE_MEAN, FV_HEADS_NONE,
                            {pooled.data(), 96, 96}};
    REQUIRE(call<fv_tile_request>(fv_tile_workspace, fv_tile_run, test.problem, request, {}) == FV_OK);
    request.height = 512;
    request.width = 768;
    request.out.data = exact.data();
    REQUIRE(call<fv_tile_request>(fv_tile_workspace, fv_tile_run, test.problem, request, {}) == FV_OK);
    for (int64_t cell = 0; cell < 96; ++cell) {
        double sum = 0;
        for (int64_t k = 0; k < 4096; ++k)
            sum += exact[(cell / 12 * 64 + k / 64) * 768 + cell % 12 * 64 + k % 64];
        CHECK(pooled[cell] == doctest::Approx(sum / 4096).epsilon(1e-6));
        CHECK(pooled[cell] == doctest::Approx(o.pooledMean[cell]).epsilon(1e-6));
    }
}

TEST_CASE("levels agree within rounding") {
    Case test({.dtype = FV_BF16, .tq = 200, .tk = 300, .d = 64});
    const StatsOutputs scalar = run(test, {FV_LEVEL_SCALAR});
    for (int level : levels()) {
        const StatsOutputs other = run(test, {level});
        for (int64_t j = 0; j < 300; ++j)
            CHECK(other.colSum[j] == doctest::Approx(scalar.colSum[j]).epsilon(1e-5));
    }
}
