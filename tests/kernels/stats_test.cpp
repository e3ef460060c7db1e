// Statistics against float64, over shapes, types, masks and levels.
#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/support.h"

using namespace kernel_tests;
using fovea::kernels::DenseAttention;
using fovea::kernels::denseAttention;

namespace {

// Error of a logit: fp32 sums of d products of this size, and the rounding of a given log-sum-exp.
struct Tolerance {
    double logit;
    double relative() const { return 4e-7 + 1e-5 + logit; }
};

Tolerance toleranceOf(const Case& test) {
    const double scale = logitScale(test),
                 logits = test.problem.softcap > 0 || test.problem.bias ? 4e-7 * (scale + 10) : 0;
    return {static_cast<double>(test.shape.d) * scale * 6e-8 / 4 + logits +
            (test.problem.lse ? scale * 1.2e-7 : 0)};
}

// Counts of failures instead of a million checks.
struct Failures {
    int count = 0;
    std::string first;

    void expect(bool fine, const char* what, int64_t head, int64_t at, double got, double wanted) {
        if (fine || count++ > 0) return;
        first = std::string(what) + " head " + std::to_string(head) + " at " + std::to_string(at) + ": " +
                std::to_string(got) + " is not " + std::to_string(wanted);
    }
    void near(const char* what, int64_t head, int64_t at, double got, double wanted, double relative,
              double absolute) {
        expect(std::abs(got - wanted) <= relative * std::abs(wanted) + absolute, what, head, at, got, wanted);
    }
};

// The values at the returned indices must be the k largest, in order.
void checkTop(Failures& f, const char* what, int64_t head, int64_t line, const std::vector<double>& values,
              int64_t visible, const float* value, const int32_t* index, int64_t k, double relative) {
    std::vector<double> sorted = values;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    std::vector<bool> seen(values.size());
    for (int64_t i = 0; i < k; ++i) {
        if (i >= visible) {
            f.expect(index[i] == -1 && value[i] == 0, what, head, line, index[i], -1);
            continue;
        }
        const bool valid = index[i] >= 0 && index[i] < static_cast<int64_t>(values.size()) && !seen[index[i]];
        f.expect(valid, what, head, line, index[i], i);
        if (!valid) continue;
        seen[index[i]] = true;
        f.near(what, head, line, value[i], sorted[i], relative, 1e-30);
        f.near(what, head, line, values[index[i]], sorted[i], 2 * relative, 1e-30);
    }
}

void checkRows(Failures& f, const Case& test, const DenseAttention& a, const StatsOutputs& o,
               Tolerance tolerance) {
    const fv_problem& p = test.problem;
    for (int64_t line = 0; line < p.batch * p.q_heads * p.tq; ++line) {
        const int64_t head = line / p.tq, b = head / p.q_heads, h = head % p.q_heads, i = line % p.tq;
        const double* row = a.row(b, h, i);
        const bool empty = std::isinf(a.lse[line]);
        double entropy = 0, most = 0;
        std::vector<double> mass(static_cast<size_t>(o.request.groups));
        int64_t visible = 0;
        for (int64_t j = 0; j < p.tk; ++j) {
            if (row[j] > 0) entropy -= row[j] * std::log(row[j]);
            most = std::max(most, row[j]);
            if (o.keyGroup[j] >= 0) mass[o.keyGroup[j]] += row[j];
            const bool seen =
                fovea::kernels::denseVisible(p, b, i, j) &&
                !(p.bias &&
                  std::isinf(p.bias[h * p.bias_stride_h + i * p.bias_stride_q + j * p.bias_stride_k]));
            visible += seen;
        }
        if (o.lse.size()) {
            const double limit = 2e-6 * std::max(1.0, std::abs(a.lse[line])) + tolerance.logit;
            f.expect(empty ? std::isinf(o.lse[line]) : std::abs(o.lse[line] - a.lse[line]) <= limit, "lse",
                     head, i, o.lse[line], a.lse[line]);
        }
        if (o.rowMax.size()) {
            f.near("row max", head, i, o.rowMax[line], most, tolerance.relative(), 0);
            f.near("row sum", head, i, o.rowSum[line], empty ? 0 : 1, 0, 2e-5 + tolerance.logit);
            f.near("row entropy", head, i, o.rowEntropy[line], entropy, 0,
                   2e-5 + 4 * tolerance.logit * (1 + entropy));
            const int32_t at = o.rowArgmax[line];
            f.expect(empty ? at == -1 : at >= 0 && row[at] >= most * (1 - tolerance.relative()), "row argmax",
                     head, i, at, most);
        }
        for (int64_t g = 0; g < static_cast<int64_t>(mass.size()) && o.mass.size(); ++g) {
            f.near("group mass", head, i, o.mass[line * o.request.groups + g], mass[g], tolerance.relative(),
                   1e-7);
        }
        if (o.topValue.size()) {
            checkTop(f, "top", head, i, std::vector<double>(row, row + p.tk), empty ? 0 : visible,
                     o.topValue.data() + line * o.request.topk, o.topIndex.data() + line * o.request.topk,
                     o.request.topk, tolerance.relative());
        }
    }
}

void checkColumns(Failures& f, const Case& test, const DenseAttention& a, const StatsOutputs& o,
                  Tolerance tolerance) {
    const fv_problem& p = test.problem;
    for (int64_t line = 0; line < p.batch * p.q_heads * p.tk; ++line) {
        const int64_t head = line / p.tk, b = head / p.q_heads, h = head % p.q_heads, j = line % p.tk;
        std::vector<double> column;
        for (int64_t i = 0; i < p.tq; ++i) column.push_back(a.at(b, h, i, j));
        const double most = *std::max_element(column.begin(), column.end());
        const double sum = std::accumulate(column.begin(), column.end(), 0.0);
        if (o.colSum.size()) {
            f.near("column sum", head, j, o.colSum[line], sum, tolerance.relative(),
                   1e-9 * static_cast<double>(p.tq));
            f.near("column max", head, j, o.colMax[line], most, tolerance.relative(), 1e-37);
        }
        if (o.colArgmax.size()) {
            const int32_t at = o.colArgmax[line];
            const bool fine = most < 1e-30
                                  ? at >= -1 && at < p.tq
                                  : at >= 0 && at < p.tq && column[at] >= most * (1 - tolerance.relative());
            f.expect(fine, "column argmax", head, j, at, most);
        }
        if (o.colTopValue.size() && !p.bias) {
            int64_t visible = 0;
            for (int64_t i = 0; i < p.tq; ++i) visible += fovea::kernels::denseVisible(p, b, i, j);
            checkTop(f, "column top", head, j, column, visible,
                     o.colTopValue.data() + line * o.request.col_topk,
                     o.colTopIndex.data() + line * o.request.col_topk, o.request.col_topk,
                     2 * tolerance.relative());
        }
    }
}

void checkPool(Failures& f, const Case& test, const DenseAttention& a, const StatsOutputs& o,
               Tolerance tolerance) {
    const fv_problem& p = test.problem;
    const int64_t block = o.request.block, height = (p.tq + block - 1) / block,
                  width = (p.tk + block - 1) / block;
    for (int64_t cell = 0; cell < p.batch * p.q_heads * height * width && o.pooledMean.size(); ++cell) {
        const int64_t head = cell / (height * width), y = cell / width % height, x = cell % width;
        double sum = 0, most = 0;
        const int64_t rowEnd = std::min(p.tq, (y + 1) * block), columnEnd = std::min(p.tk, (x + 1) * block);
        for (int64_t i = y * block; i < rowEnd; ++i) {
            for (int64_t j = x * block; j < columnEnd; ++j) {
                sum += a.at(head / p.q_heads, head % p.q_heads, i, j);
                most = std::max(most, a.at(head / p.q_heads, head % p.q_heads, i, j));
            }
        }
        const double cells = static_cast<double>((rowEnd - y * block) * (columnEnd - x * block));
        f.near("pooled mean", head, cell, o.pooledMean[cell], sum / cells, tolerance.relative(), 1e-12);
        f.near("pooled max", head, cell, o.pooledMax[cell], most, tolerance.relative(), 1e-37);
    }
}

void check(Case& test, const Runner& runner, int64_t top = 5, int64_t block = 16, int64_t groups = 3) {
    const DenseAttention dense = denseAttention(test.problem);
    StatsOutputs outputs(test.problem, StatsOutputs::All, top, block, groups);
    REQUIRE(outputs.run(test.problem, runner) == FV_OK);
    CHECK(outputs.guardsIntact());
    CHECK(outputs.fullyWritten());
    CHECK(outputs.flags[0] == 0);
    Failures failures;
    const Tolerance tolerance = toleranceOf(test);
    checkRows(failures, test, dense, outputs, tolerance);
    checkColumns(failures, test, dense, outputs, tolerance);
    checkPool(failures, test, dense, outputs, tolerance);
    CHECK_MESSAGE(failures.count == 0, failures.first << " (and " << failures.count - 1 << " more)");
}

}  // namespace

TEST_CASE("statistics: lengths and head sizes at every edge of a tile") {
    const int64_t lengths[] = {1, 2, 7, 15, 16, 17, 48, 49, 63, 64, 65, 127, 128, 129, 197, 257, 385, 577};
    const int64_t heads[] = {1, 3, 8, 16, 32, 40, 48, 63, 64, 72, 80, 96, 112, 128, 160, 192, 256};
    size_t next = 0;
    for (int level : levels()) {
        for (int64_t tk : lengths) {
            for (int64_t tq : {int64_t{1}, int64_t{9}, int64_t{130}}) {
                const int64_t d = heads[next++ % std::size(heads)];
                CAPTURE(level);
                CAPTURE(tq);
                CAPTURE(tk);
                CAPTURE(d);
                Case test({.dtype = static_cast<fv_dtype>(next % 3),
                           .tq = tq,
                           .tk = tk,
                           .d = d,
                           .seed = static_cast<unsigned>(next)});
                check(test, {level, static_cast<int>(next % 3)});
            }
        }
    }
}

TEST_CASE("statistics: every mask, grouped heads, both memory layouts") {
    struct Mask {
        const char* name;
        void (*set)(Case&);
    };
    const Mask masks[] = {
        {"causal", [](Case& t) { t.problem.causal = 1; }},
        {"causal, offset to the end",
         [](Case& t) { t.problem.causal = 1, t.problem.q_offset = t.shape.tk - t.shape.tq; }},
        {"causal, offset 5", [](Case& t) { t.problem.causal = 1, t.problem.q_offset = 5; }},
        {"causal, first rows empty", [](Case& t) { t.problem.causal = 1, t.problem.q_offset = -20; }},
        {"prefix", [](Case& t) { t.problem.causal = 1, t.problem.prefix = 33; }},
        {"window 1", [](Case& t) { t.problem.window_left = t.problem.window_right = 1; }},
        {"window 17 back", [](Case& t) { t.problem.causal = 1, t.problem.window_left = 17; }},
        {"window 256 ahead", [](Case& t) { t.problem.window_right = 256; }},
        {"window that leaves the keys",
         [](Case& t) { t.problem.window_left = 3, t.problem.window_right = 0, t.problem.q_offset = 90; }},
        {"padding", [](Case& t) { t.hideSomeKeys(); }},
        {"causal and padding", [](Case& t) { t.problem.causal = 1, t.hideSomeKeys(), t.visible[0] = 0; }},
        {"all padded",
         [](Case& t) { t.hideSomeKeys(), std::fill(t.visible.begin(), t.visible.end(), uint8_t{0}); }},
        {"sequences",
         [](Case& t) {
             t.setSequences({40, 40, 41, 150}, {30, 60, 77, 145});
         }},
        {"causal sequences",
         [](Case& t) {
             t.problem.causal = 1, t.setSequences({40, 99, 150}, {45, 45, 145});
         }},
        {"windows in sequences",
         [](Case& t) {
             t.problem.window_left = 5, t.problem.window_right = 2, t.setSequences({70, 150}, {75, 145});
         }},
        {"bias", [](Case& t) { t.addBias(false); }},
        {"bias with holes", [](Case& t) { t.problem.causal = 1, t.addBias(true); }},
        {"bias per key",
         [](Case& t) { t.addBias(false), t.problem.bias_stride_q = t.problem.bias_stride_h = 0; }},
        {"soft-cap 30", [](Case& t) { t.problem.softcap = 30; }},
        {"soft-cap 2, causal", [](Case& t) { t.problem.softcap = 2, t.problem.causal = 1; }},
        {"negative scale", [](Case& t) { t.problem.scale = -0.3f; }},
        {"scale 0", [](Case& t) { t.problem.scale = 0; }},
    };
    int64_t next = 0;
    for (int level : levels()) {
        for (const Mask& mask : masks) {
            CAPTURE(level);
            CAPTURE(mask.name);
            const int64_t group = next++ % 3 + 1;
            Case test({.dtype = static_cast<fv_dtype>(next % 3),
                       .batch = 1 + next % 2,
                       .qHeads = 2 * group,
                       .kvHeads = 2,
                       .tq = 150,
                       .tk = 145,
                       .d = 24,
                       .tokensFirst = next % 2 == 0,
                       .seed = static_cast<unsigned>(next)});
            mask.set(test);
            check(test, {level, static_cast<int>(next % 4)}, 7, 8 + 13 * (next % 5), 5);
        }
    }
}

TEST_CASE("statistics: the log-sum-exp may be given, in either base") {
    for (int level : levels()) {
        for (bool log2 : {false, true}) {
            Case test({.batch = 2, .qHeads = 4, .kvHeads = 2, .tq = 133, .tk = 411, .d = 32});
            test.problem.causal = 1;
            test.problem.q_offset = 200;
            test.giveLse(denseAttention(test.problem), log2);
            CAPTURE(level);
            check(test, {level, 2}, 64, 512, 32);
        }
    }
}

TEST_CASE("statistics: near one-hot") {
    for (int level : levels()) {
        CAPTURE(level);
        Case test({.tq = 140, .tk = 200, .d = 64, .sharpness = 30});
        check(test, {level});
    }
}

TEST_CASE("statistics: logits near 1e4") {
    for (int level : levels()) {
        CAPTURE(level);
        Case test({.tq = 40, .tk = 200, .d = 64, .sharpness = 3000});
        check(test, {level});
    }
}

TEST_CASE("statistics: constant keys give uniform rows") {
    for (int level : levels()) {
        CAPTURE(level);
        Case test({.tq = 20, .tk = 400, .d = 16});
        for (int64_t j = 0; j < 400; ++j) {
            for (int64_t c = 0; c < 16; ++c) test.setElement(test.problem.key, 0, 0, j, c, 0.25f);
        }
        check(test, {level});
        StatsOutputs outputs(test.problem, StatsOutputs::All, 3, 16, 2);
        REQUIRE(outputs.run(test.problem, {level}) == FV_OK);
        CHECK(outputs.rowArgmax[7] == 0);
        CHECK(outputs.topIndex[1] == 1);
        CHECK(outputs.topIndex[2] == 2);
        CHECK(outputs.colArgmax[0] <= outputs.colTopIndex[0]);
    }
}

TEST_CASE("statistics: among equals the smallest index wins, over blocks and chunks") {
    for (int level : levels()) {
        CAPTURE(level);
        Case test({.tq = 300, .tk = 800, .d = 16});
        for (int64_t at = 0; at < 800 * 16; ++at)
            test.setElement(test.problem.key, 0, 0, at / 16, at % 16, 0.25f);
        for (int64_t at = 0; at < 300 * 16; ++at)
            test.setElement(test.problem.query, 0, 0, at / 16, at % 16, 0.5f);
        StatsOutputs outputs(test.problem, StatsOutputs::All, 3, 16, 2);
        REQUIRE(outputs.run(test.problem, {level, 2}) == FV_OK);
        int wrong = 0;
        for (int64_t i = 0; i < 300; ++i) {
            for (int32_t k = 0; k < 3; ++k) wrong += outputs.topIndex[i * 3 + k] != k;
            wrong += outputs.rowArgmax[i] != 0;
        }
        for (int64_t j = 0; j < 800; ++j) {
            for (int32_t k = 0; k < 3; ++k) wrong += outputs.colTopIndex[j * 3 + k] != k;
            wrong += outputs.colArgmax[j] != 0;
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("statistics: one sink takes nearly everything") {
    for (int level : levels()) {
        CAPTURE(level);
        Case test({.tq = 130, .tk = 130, .d = 16});
        for (int64_t i = 0; i < 130; ++i) test.setElement(test.problem.query, 0, 0, i, 0, 8);
        test.setElement(test.problem.key, 0, 0, 3, 0, 8);
        check(test, {level});
    }
}

TEST_CASE("statistics: k and pooling blocks of every size") {
    for (int64_t k : {1, 2, 16, 63, 64}) {
        Case test({.tq = 140, .tk = 50 + k, .d = 8, .seed = static_cast<unsigned>(k)});
        check(test, {}, k, 8 * k, 1);
    }
    for (int64_t block : {8, 9, 50, 63, 64, 100, 127, 128, 129, 333, 512}) {
        CAPTURE(block);
        Case test({.tq = 400, .tk = 600, .d = 8, .seed = static_cast<unsigned>(block)});
        test.problem.causal = 1;
        check(test, {FV_LEVEL_BEST, 2}, 1, block, 1);
    }
}

TEST_CASE("statistics: NaN and infinity are reported, and every output is defined") {
    for (int level : levels()) {
        for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
            for (bool inKey : {false, true}) {
                Case test({.tq = 20, .tk = 60, .d = 8});
                test.setElement(inKey ? test.problem.key : test.problem.query, 0, 0, 5, 3, bad);
                StatsOutputs outputs(test.problem, StatsOutputs::All, 4, 8, 3);
                CHECK(outputs.run(test.problem, {level}) == FV_NONFINITE);
                CHECK(outputs.flags[0] == FV_SAW_NONFINITE);
                CHECK(outputs.fullyWritten());
                for (int32_t at : {outputs.rowArgmax[5], outputs.colArgmax[5], outputs.topIndex[20]})
                    CHECK((at >= -1 && at < 60));
            }
        }
        Case hidden({.tq = 20, .tk = 60, .d = 8});
        hidden.hideSomeKeys();
        hidden.visible[5] = 0;
        hidden.setElement(hidden.problem.key, 0, 0, 5, 3, std::numeric_limits<float>::quiet_NaN());
        StatsOutputs outputs(hidden.problem, StatsOutputs::All, 4, 8, 3);
        CHECK(outputs.run(hidden.problem, {level}) == FV_OK);
        CHECK(outputs.colSum[5] == 0);
    }
}
