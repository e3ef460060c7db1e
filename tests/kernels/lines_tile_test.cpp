// Chosen rows and columns, and tiles at any zoom, against float64.
#include <doctest/doctest.h>
#include <cmath>

#include "kernels/support.h"

using namespace kernel_tests;
using namespace fovea::kernels;

namespace {

double joined(const DenseAttention& a, fv_head_reduce heads, int64_t b, int64_t head, int64_t i, int64_t j) {
    double value = a.at(b, heads == FV_HEADS_NONE ? head : 0, i, j);
    for (int64_t h = 1; h < a.heads && heads != FV_HEADS_NONE; ++h) {
        const double other = a.at(b, h, i, j);
        value = heads == FV_HEADS_MEAN  ? value + other
                : heads == FV_HEADS_MAX ? std::max(value, other)
                                        : std::min(value, other);
    }
    return heads == FV_HEADS_MEAN ? value / static_cast<double>(a.heads) : value;
}

void maskLine(Case& test, int64_t mask) {
    test.problem.causal = mask == 1;
    test.problem.q_offset = mask == 1 ? test.shape.tk - test.shape.tq : 0;
    if (mask == 2) test.hideSomeKeys();
    if (mask == 3) test.addBias(true);
    if (mask == 4) test.problem.window_left = 20, test.problem.softcap = 30;
}

void checkLines(Case& test, const std::vector<int32_t>& lines, bool columns, fv_head_reduce heads,
                const Runner& runner) {
    const fv_problem& p = test.problem;
    const DenseAttention dense = denseAttention(p);
    const int64_t length = columns ? p.tq : p.tk, count = static_cast<int64_t>(lines.size());
    const int64_t maps = heads == FV_HEADS_NONE ? p.q_heads : 1;
    Guarded<float> out(static_cast<size_t>(p.batch * maps * count * length));
    fv_lines_request request{};
    request.struct_size = sizeof request;
    (columns ? request.columns : request.rows) = lines.data();
    request.count = count;
    request.heads = heads;
    request.out = {out.data(), maps * count * length, count * length};
    REQUIRE(call<fv_lines_request>(fv_lines_workspace, fv_lines_run, p, request, runner) == FV_OK);
    CHECK(out.guardsIntact());
    CHECK(out.fullyWritten());
    double worst = 0;
    for (int64_t at = 0; at < p.batch * maps * count * length; ++at) {
        const int64_t b = at / (maps * count * length), h = at / (count * length) % maps;
        const int64_t line = lines[at / length % count], other = at % length;
        const double wanted = joined(dense, heads, b, h, columns ? other : line, columns ? line : other);
        worst = std::max(worst, std::abs(out[at] - wanted) - 2e-5 * wanted);
    }
    CHECK(worst < 1e-7);
}

}  // namespace

TEST_CASE("lines: rows and columns in any order, every join of heads, every level") {
    int64_t next = 0;
    for (int level : levels()) {
        for (bool columns : {false, true}) {
            for (fv_head_reduce heads : {FV_HEADS_NONE, FV_HEADS_MEAN, FV_HEADS_MAX, FV_HEADS_MIN}) {
                CAPTURE(level);
                CAPTURE(columns);
                CAPTURE(heads);
                Case test({.dtype = static_cast<fv_dtype>(next % 3),
                           .batch = 2,
                           .qHeads = 6,
                           .kvHeads = 2,
                           .tq = 140,
                           .tk = 430,
                           .d = 24,
                           .tokensFirst = next % 2 == 1,
                           .seed = static_cast<unsigned>(next + 3)});
                maskLine(test, next % 5);
                if (next % 2) test.giveLse(denseAttention(test.problem), next % 4 == 1);
                checkLines(test, {5, 139, 0, 5, 77}, columns, heads, {level, static_cast<int>(1 + next % 3)});
                ++next;
            }
        }
    }
}

TEST_CASE("lines: more than one chunk, and more keys than one unit") {
    Case test({.tq = 300, .tk = 3500, .d = 8});
    std::vector<int32_t> rows;
    for (int32_t i = 0; i < 300; ++i) rows.push_back(i * 7 % 300);
    checkLines(test, rows, false, FV_HEADS_NONE, {FV_LEVEL_BEST, 3});
}

namespace {

void checkTile(Case& test, const DenseAttention& dense, fv_tile_request request, const Runner& runner) {
    const fv_problem& p = test.problem;
    const int64_t maps = request.heads == FV_HEADS_NONE ? p.q_heads : 1,
                  pixels = request.height * request.width;
    Guarded<float> out(static_cast<size_t>(p.batch * maps * pixels));
    request.struct_size = sizeof request;
    request.out = {out.data(), maps * pixels, pixels};
    REQUIRE(call<fv_tile_request>(fv_tile_workspace, fv_tile_run, p, request, runner) == FV_OK);
    CHECK(out.guardsIntact());
    CHECK(out.fullyWritten());
    for (int64_t map = 0; map < p.batch * maps; ++map) {
        const std::vector<double> wanted = denseTile(request, dense, map / maps, map % maps);
        double worst = 0;
        for (int64_t i = 0; i < pixels; ++i) {
            worst = std::max(worst, std::abs(out[map * pixels + i] - wanted[i]) - 2e-5 * wanted[i]);
        }
        CHECK(worst < 1e-7);
    }
}

}  // namespace

TEST_CASE("tiles: exact, reduced, enlarged and fractional, every reduction and join") {
    struct View {
        int64_t rowBegin, rowEnd, columnBegin, columnEnd, height, width;
    };
    const View views[] = {{0, 64, 0, 64, 64, 64},     {13, 141, 7, 423, 32, 52}, {0, 150, 0, 430, 150, 430},
                          {100, 150, 400, 430, 7, 9}, {20, 21, 30, 31, 5, 4},    {0, 150, 0, 430, 1, 1},
                          {3, 40, 11, 30, 80, 60},    {0, 150, 5, 420, 3, 2},    {10, 26, 16, 400, 16, 96}};
    int64_t next = 0;
    for (int level : levels()) {
        for (const View& view : views) {
            CAPTURE(level);
            CAPTURE(next);
            Case test({.dtype = static_cast<fv_dtype>(next % 3),
                       .batch = 1 + next % 2,
                       .qHeads = 4,
                       .kvHeads = 2,
                       .tq = 150,
                       .tk = 430,
                       .d = 16,
                       .seed = static_cast<unsigned>(next + 11)});
            maskLine(test, next % 5);
            const DenseAttention dense = denseAttention(test.problem);
            if (next % 2) test.giveLse(dense, false);
            for (fv_tile_reduce reduce : {FV_TILE_MEAN, FV_TILE_MAX, FV_TILE_SUM}) {
                const fv_head_reduce heads = static_cast<fv_head_reduce>(next++ % 4);
                fv_tile_request request{};
                request.row_begin = view.rowBegin;
                request.row_end = view.rowEnd;
                request.column_begin = view.columnBegin;
                request.column_end = view.columnEnd;
                request.height = view.height;
                request.width = view.width;
                request.reduce = reduce;
                request.heads = heads;
                CAPTURE(reduce);
                CAPTURE(heads);
                checkTile(test, dense, request, {level, static_cast<int>(1 + next % 3)});
            }
        }
    }
}
