// A X, A^T X and the relevance product against float64, and what is built from them.
#include <doctest/doctest.h>
#include <cmath>

#include "kernels/support.h"

using namespace kernel_tests;
using namespace fovea::kernels;

namespace {

std::vector<float> randomVector(int64_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> result(static_cast<size_t>(count));
    for (float& value : result) value = normal(random);
    return result;
}

fv_status runProduct(const fv_problem& p, const fv_product_request& request, const Runner& runner) {
    return call<fv_product_request>(fv_product_workspace, fv_product_run, p, request, runner);
}

// Sum and sum of sizes of the terms of one output.
struct Sum {
    double value = 0, size = 0;
    void add(double term) { value += term, size += std::abs(term); }
};

void checkProduct(Case& test, bool transposed, bool meanHeads, int64_t columns, const Runner& runner) {
    const fv_problem& p = test.problem;
    const DenseAttention dense = denseAttention(p);
    const int64_t inner = transposed ? p.tq : p.tk, outer = transposed ? p.tk : p.tq,
                  maps = meanHeads ? 1 : p.q_heads;
    const std::vector<float> x = randomVector(p.batch * p.q_heads * inner * columns, 5);
    Guarded<float> out(static_cast<size_t>(p.batch * maps * outer * columns));
    fv_product_request request{};
    request.struct_size = sizeof request;
    request.transposed = transposed;
    request.columns = columns;
    request.x = x.data();
    request.x_stride_b = p.q_heads * inner * columns;
    request.x_stride_h = inner * columns;
    request.mean_heads = meanHeads;
    request.out = {out.data(), maps * outer * columns, outer * columns};
    REQUIRE(runProduct(p, request, runner) == FV_OK);
    CHECK(out.guardsIntact());
    CHECK(out.fullyWritten());
    double worst = 0;
    for (int64_t at = 0; at < p.batch * maps * outer * columns; ++at) {
        const int64_t b = at / (maps * outer * columns), map = at / (outer * columns) % maps;
        const int64_t o = at / columns % outer, c = at % columns;
        Sum sum;
        for (int64_t h = meanHeads ? 0 : map; h < (meanHeads ? p.q_heads : map + 1); ++h) {
            for (int64_t i = 0; i < inner; ++i) {
                const double a = transposed ? dense.at(b, h, i, o) : dense.at(b, h, o, i);
                sum.add(a * x[b * request.x_stride_b + h * request.x_stride_h + i * columns + c] /
                        static_cast<double>(meanHeads ? p.q_heads : 1));
            }
        }
        worst = std::max(worst, std::abs(out[at] - sum.value) / (sum.size + 1e-6));
    }
    CHECK(worst < 1e-5);
}

}  // namespace

TEST_CASE("products: both orientations, one per head or joined, every level") {
    int64_t next = 0;
    for (int level : levels()) {
        for (bool transposed : {false, true}) {
            for (bool meanHeads : {false, true}) {
                CAPTURE(level);
                CAPTURE(transposed);
                CAPTURE(meanHeads);
                Case test({.dtype = static_cast<fv_dtype>(next % 3),
                           .batch = 2,
                           .qHeads = 4,
                           .kvHeads = 2,
                           .tq = 170,
                           .tk = 390,
                           .d = 20,
                           .tokensFirst = next % 2 == 1,
                           .seed = static_cast<unsigned>(next)});
                test.problem.causal = next % 2;
                test.problem.q_offset = 220;
                if (next % 3 == 0) test.hideSomeKeys();
                if (next % 4 == 2) test.addBias(false);
                if (next % 2) test.giveLse(denseAttention(test.problem), false);
                checkProduct(test, transposed, meanHeads, next % 8 + 1,
                             {level, static_cast<int>(1 + next % 4)});
                ++next;
            }
        }
    }
}

TEST_CASE("relevance: every part, grouped heads, values of another size than keys") {
    int64_t next = 0;
    for (int level : levels()) {
        for (fv_relevance_part part : {FV_POSITIVE, FV_SIGNED, FV_ABSOLUTE}) {
            CAPTURE(level);
            CAPTURE(part);
            Case test({.dtype = static_cast<fv_dtype>(next % 3),
                       .batch = 1 + next % 2,
                       .qHeads = 6,
                       .kvHeads = 3,
                       .tq = 90,
                       .tk = 140,
                       .d = 16,
                       .dv = 25,
                       .seed = static_cast<unsigned>(next)});
            const fv_problem& p = test.problem;
            test.problem.causal = next % 2;
            test.problem.q_offset = 40;
            if (next % 3 == 1) test.hideSomeKeys();
            const DenseAttention dense = denseAttention(p);
            if (next % 2) test.giveLse(dense, true);
            const std::vector<float> x = randomVector(p.batch * p.tq * 3, 9);
            Guarded<float> out(static_cast<size_t>(p.batch * p.tk * 3));
            fv_relevance_request request{sizeof(fv_relevance_request), part, 3, x.data(), p.tq * 3,
                                         {out.data(), p.tk * 3, 0}};
            const Runner runner{level, static_cast<int>(1 + next % 3)};
            REQUIRE(call<fv_relevance_request>(fv_relevance_workspace, fv_relevance_run, p, request,
                                               runner) == FV_OK);
            CHECK(out.guardsIntact());
            CHECK(out.fullyWritten());
            const std::vector<double> wanted = denseRelevance(p, request, dense);
            double most = 0, worst = 0;
            for (double value : wanted) most = std::max(most, std::abs(value));
            for (size_t i = 0; i < out.size(); ++i) worst = std::max(worst, std::abs(out[i] - wanted[i]));
            CHECK(worst < 1e-5 * most);
            ++next;
        }
    }
}

TEST_CASE("products: a chain of A^T v is a row of the rollout of the whole matrices") {
    const int64_t tokens = 90, layers = 4;
    std::vector<double> product(tokens * tokens);
    for (int64_t i = 0; i < tokens; ++i) product[i * tokens + i] = 1;
    std::vector<float> v(tokens), next(tokens);
    const int64_t target = 61;
    v[target] = 1;
    std::vector<double> row(v.begin(), v.end());
    for (int64_t layer = layers - 1; layer >= 0; --layer) {
        Case test({.qHeads = 3,
                   .kvHeads = 3,
                   .tq = tokens,
                   .tk = tokens,
                   .d = 16,
                   .seed = static_cast<unsigned>(layer)});
        test.problem.causal = 1;
        const DenseAttention dense = denseAttention(test.problem);
        std::vector<double> walked(tokens);
        for (int64_t i = 0; i < tokens; ++i) {
            for (int64_t j = 0; j < tokens; ++j) {
                double mean = 0;
                for (int64_t h = 0; h < 3; ++h) mean += dense.at(0, h, i, j) / 3;
                walked[j] += row[i] * (0.5 * mean + (i == j ? 0.5 : 0));
            }
        }
        row = walked;
        fv_product_request request{sizeof(fv_product_request), 1, 1, v.data(), 0, 0, 1,
                                   {next.data(), tokens, 0}};
        REQUIRE(runProduct(test.problem, request, {}) == FV_OK);
        for (int64_t j = 0; j < tokens; ++j) v[j] = 0.5f * v[j] + 0.5f * next[j];
    }
    for (int64_t j = 0; j < tokens; ++j) CHECK(v[j] == doctest::Approx(row[j]).epsilon(1e-5));
}
