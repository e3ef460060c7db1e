// The forward pass and its edits against float64.
#include <doctest/doctest.h>
#include <cmath>

#include "cpu/half.h"
#include "kernels/support.h"

using namespace kernel_tests;
using namespace fovea::kernels;

namespace {

// A forward request with all of its outputs, tokens first.
struct Forward {
    Forward(const fv_problem& p, fv_edit_kind edit, int64_t groupCount, bool perQuery) {
        const int64_t dv = p.dv ? p.dv : p.d, rows = p.batch * p.q_heads * p.tq;
        values = Guarded<float>(p.dtype == FV_F32 ? static_cast<size_t>(rows * dv) : 0);
        halves = Guarded<uint16_t>(p.dtype == FV_F32 ? 0 : static_cast<size_t>(rows * dv));
        lse = rowMax = entropy = Guarded<float>(static_cast<size_t>(rows));
        mass = Guarded<float>(static_cast<size_t>(rows * groupCount));
        for (int64_t j = 0; j < p.tk; ++j)
            keyGroup.push_back(static_cast<int32_t>(j / 9 * 5 % (groupCount + 1)) - 1);
        std::mt19937 random(4);
        for (int64_t i = 0; i < p.q_heads * (perQuery ? p.tq : 1) * groupCount; ++i) {
            factor.push_back(i % 4 == 0 ? 0.0f : static_cast<float>(random() % 300) / 100);
        }
        request.struct_size = sizeof request;
        request.edit = edit;
        request.key_group = keyGroup.data();
        request.groups = groupCount;
        request.factor = factor.data();
        request.factor_stride_g = 1;
        request.factor_stride_q = perQuery ? groupCount : 0;
        request.factor_stride_h = (perQuery ? p.tq : 1) * groupCount;
        void* data = p.dtype == FV_F32 ? static_cast<void*>(values.data()) : halves.data();
        request.out = {data, p.tq * p.q_heads * dv, dv};
        request.out_stride_t = p.q_heads * dv;
        request.lse = {lse.data(), p.q_heads * p.tq, p.tq};
        request.row_max = {rowMax.data(), p.q_heads * p.tq, p.tq};
        request.row_entropy = {entropy.data(), p.q_heads * p.tq, p.tq};
        request.group_mass = {mass.data(), p.q_heads * p.tq * groupCount, p.tq * groupCount};
    }
    double value(const fv_problem& p, size_t at) const {
        if (p.dtype == FV_F32) return values[at];
        return p.dtype == FV_F16 ? cpu::fromHalf(halves[at]) : cpu::fromBfloat(halves[at]);
    }
    bool intact() const {
        return values.guardsIntact() && halves.guardsIntact() && lse.guardsIntact() &&
               rowMax.guardsIntact() && entropy.guardsIntact() && mass.guardsIntact();
    }
    bool written() const {
        return values.fullyWritten() && halves.fullyWritten() && lse.fullyWritten() &&
               rowMax.fullyWritten() && entropy.fullyWritten() && mass.fullyWritten();
    }

    Guarded<float> values, lse, rowMax, entropy, mass;
    Guarded<uint16_t> halves;
    std::vector<int32_t> keyGroup;
    std::vector<float> factor;
    fv_forward_request request{};
};

fv_status runForward(const fv_problem& p, const fv_forward_request& request, const Runner& runner) {
    return call<fv_forward_request>(fv_forward_workspace, fv_forward_run, p, request, runner);
}

void check(Case& test, fv_edit_kind edit, bool perQuery, const Runner& runner) {
    const fv_problem& p = test.problem;
    const int64_t dv = p.dv ? p.dv : p.d, groups = 4;
    const DenseAttention dense = denseAttention(p);
    Forward forward(p, edit, groups, perQuery);
    REQUIRE(runForward(p, forward.request, runner) == FV_OK);
    CHECK(forward.intact());
    CHECK(forward.written());
    const std::vector<double> wanted = denseForward(p, forward.request, dense);
    const double rounding = p.dtype == FV_F32 ? 2e-5 : p.dtype == FV_F16 ? 6e-4 : 5e-3;
    double worst = 0, worstMass = 0, worstLse = 0, worstEntropy = 0, worstMax = 0;
    for (int64_t line = 0; line < p.batch * p.q_heads * p.tq; ++line) {
        const int64_t b = line / (p.q_heads * p.tq), h = line / p.tq % p.q_heads, i = line % p.tq;
        for (int64_t c = 0; c < dv; ++c) {
            const double got =
                forward.value(p, static_cast<size_t>(((b * p.tq + i) * p.q_heads + h) * dv + c));
            worst = std::max(worst,
                             std::abs(got - wanted[line * dv + c]) / (1 + std::abs(wanted[line * dv + c])));
        }
        double mass[4] = {}, entropy = 0, most = 0;
        for (int64_t j = 0; j < p.tk; ++j) {
            const double a = dense.at(b, h, i, j);
            if (forward.keyGroup[j] >= 0) mass[forward.keyGroup[j]] += a;
            if (a > 0) entropy -= a * std::log(a);
            most = std::max(most, a);
        }
        for (int64_t g = 0; g < groups; ++g)
            worstMass = std::max(worstMass, std::abs(forward.mass[line * groups + g] - mass[g]));
        worstEntropy = std::max(worstEntropy, std::abs(forward.entropy[line] - entropy));
        worstMax = std::max(worstMax, std::abs(forward.rowMax[line] - most));
        if (std::isinf(dense.lse[line])) {
            CHECK(forward.lse[line] == -std::numeric_limits<float>::infinity());
        } else {
            worstLse = std::max(
                worstLse, std::abs(forward.lse[line] - dense.lse[line]) / (1 + std::abs(dense.lse[line])));
        }
    }
    CHECK(worst < rounding);
    CHECK(worstMass < 1e-5);
    CHECK(worstEntropy < 3e-5);
    CHECK(worstMax < 1e-5);
    CHECK(worstLse < 3e-6);
}

}  // namespace

TEST_CASE("forward: every edit, type and level, with masks") {
    int64_t next = 0;
    for (int level : levels()) {
        for (fv_edit_kind edit : {FV_EDIT_NONE, FV_EDIT_SCALE, FV_EDIT_RENORMALISE}) {
            for (int64_t type = 0; type < 3; ++type) {
                CAPTURE(level);
                CAPTURE(edit);
                CAPTURE(type);
                Case test({.dtype = static_cast<fv_dtype>(type),
                           .batch = 1 + next % 2,
                           .qHeads = 4,
                           .kvHeads = 2,
                           .tq = 141,
                           .tk = 430,
                           .d = 24,
                           .dv = next % 2 ? 40 : 0,
                           .tokensFirst = next % 2 == 0,
                           .seed = static_cast<unsigned>(next)});
                if (next % 5 == 1) test.problem.causal = 1, test.problem.q_offset = -9;
                if (next % 5 == 2) test.hideSomeKeys();
                if (next % 5 == 3) test.addBias(true);
                if (next % 5 == 4) test.problem.window_left = 30, test.problem.q_offset = 200;
                check(test, edit, next % 2 == 0, {level, static_cast<int>(1 + next % 3)});
                ++next;
            }
        }
    }
}

TEST_CASE("forward: value sizes at every edge of a vector") {
    for (int level : levels()) {
        for (int64_t dv : {1, 7, 8, 16, 17, 47, 48, 49, 64, 96, 128, 255, 256}) {
            CAPTURE(level);
            CAPTURE(dv);
            Case test({.tq = 9, .tk = 20 + dv, .d = 8, .dv = dv});
            check(test, FV_EDIT_RENORMALISE, false, {level});
        }
    }
}

TEST_CASE("forward: renormalised factors equal a bias of their logarithms") {
    Case test({.qHeads = 2, .kvHeads = 1, .tq = 60, .tk = 150, .d = 32});
    Forward edited(test.problem, FV_EDIT_RENORMALISE, 4, false);
    REQUIRE(runForward(test.problem, edited.request, {}) == FV_OK);
    Case biased({.qHeads = 2, .kvHeads = 1, .tq = 60, .tk = 150, .d = 32});
    biased.addBias(false);
    for (int64_t at = 0; at < 2 * 60 * 150; ++at) {
        const int32_t group = edited.keyGroup[at % 150];
        biased.bias[at] = group < 0 ? 0 : std::log(edited.factor[at / (60 * 150) * 4 + group]);
    }
    Forward plain(biased.problem, FV_EDIT_NONE, 4, false);
    REQUIRE(runForward(biased.problem, plain.request, {}) == FV_OK);
    double worst = 0;
    for (size_t i = 0; i < plain.values.size(); ++i)
        worst = std::max(worst, static_cast<double>(std::abs(plain.values[i] - edited.values[i])));
    CHECK(worst < 1e-5);
}

TEST_CASE("forward: factors of 0 for every key give zeros under both edits") {
    for (fv_edit_kind edit : {FV_EDIT_SCALE, FV_EDIT_RENORMALISE}) {
        Case test({.tq = 5, .tk = 30, .d = 8});
        Forward forward(test.problem, edit, 1, false);
        std::fill(forward.keyGroup.begin(), forward.keyGroup.end(), 0);
        forward.factor[0] = 0;
        REQUIRE(runForward(test.problem, forward.request, {}) == FV_OK);
        for (float value : forward.values) CHECK(value == 0);
        CHECK(forward.mass[2] == doctest::Approx(1));
    }
}
