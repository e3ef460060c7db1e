// Bad calls: a status with its reason, outputs untouched; cancelling; the helpers of the interface.
#include <doctest/doctest.h>
#include <cmath>
#include <string>

#include "fovea/kernels/kernels.h"
#include "kernels/support.h"

using namespace kernel_tests;

namespace {

// A valid statistics call whose parts a test can spoil.
struct Call {
    Call()
        : test({.batch = 2, .qHeads = 4, .kvHeads = 2, .tq = 20, .tk = 30, .d = 8}),
          outputs(test.problem, StatsOutputs::All, 4, 8, 3),
          workspace(1 << 22),
          exec(Runner{}.exec()) {
        exec.message = message;
        exec.message_size = sizeof message;
    }
    fv_status run() {
        message[0] = 0;
        return fv_stats_run(&test.problem, &outputs.request, &exec, workspace.data(), workspace.size());
    }
    // True when nothing was written; the message holds `words`.
    bool refused(fv_status wanted, const char* words) {
        const fv_status status = run();
        INFO(fv_status_text(status), ": ", message);
        CHECK(status == wanted);
        CHECK(std::string(message).find(words) != std::string::npos);
        return status == wanted && outputs.colSum.untouched() && outputs.rowSum.untouched() &&
               outputs.lse.untouched() && outputs.topIndex.untouched() && outputs.flags.untouched();
    }

    Case test;
    StatsOutputs outputs;
    Guarded<uint8_t> workspace;
    char message[200] = {};
    fv_exec exec;
};

}  // namespace

TEST_CASE("checks: a valid call passes, with the smallest workspace and no larger") {
    Call call;
    size_t bytes = 0;
    REQUIRE(fv_stats_workspace(&call.test.problem, &call.outputs.request, &call.exec, &bytes) == FV_OK);
    CHECK(call.run() == FV_OK);
    Call exact;
    CHECK(fv_stats_run(&exact.test.problem, &exact.outputs.request, &exact.exec, exact.workspace.data(),
                       bytes) == FV_OK);
    Call small;
    CHECK(fv_stats_run(&small.test.problem, &small.outputs.request, &small.exec, small.workspace.data(),
                       bytes - 1) == FV_SMALL_WORKSPACE);
    CHECK(small.outputs.colSum.untouched());
    // Pointers say what is wanted; their memory is not looked at.
    fv_problem shape = call.test.problem;
    shape.query.data = shape.key.data = nullptr;
    size_t again = 0;
    CHECK(fv_stats_workspace(&shape, &call.outputs.request, &call.exec, &again) == FV_OK);
    CHECK(again == bytes);
}

TEST_CASE("checks: null, misaligned and overlapping memory") {
    Call c;
    fv_stats_request& r = c.outputs.request;
    SUBCASE("problem") {
        CHECK(fv_stats_run(nullptr, &r, &c.exec, c.workspace.data(), 1 << 22) == FV_NULL_POINTER);
    }
    SUBCASE("request") {
        CHECK(fv_stats_run(&c.test.problem, nullptr, &c.exec, c.workspace.data(), 1 << 22) ==
              FV_NULL_POINTER);
    }
    SUBCASE("exec") {
        CHECK(fv_stats_run(&c.test.problem, &r, nullptr, c.workspace.data(), 1 << 22) == FV_NULL_POINTER);
    }
    SUBCASE("workspace") {
        CHECK(fv_stats_run(&c.test.problem, &r, &c.exec, nullptr, 1 << 22) == FV_NULL_POINTER);
    }
    SUBCASE("bytes") {
        CHECK(fv_stats_workspace(&c.test.problem, &r, &c.exec, nullptr) == FV_NULL_POINTER);
    }
    SUBCASE("query") {
        c.test.problem.query.data = nullptr;
        CHECK(c.refused(FV_NULL_POINTER, "query"));
    }
    SUBCASE("key") {
        c.test.problem.key.data = nullptr;
        CHECK(c.refused(FV_NULL_POINTER, "key"));
    }
    SUBCASE("nothing wanted") {
        Guarded<float> unused(1);
        fv_stats_request none{};
        none.struct_size = sizeof none;
        CHECK(fv_stats_run(&c.test.problem, &none, &c.exec, c.workspace.data(), 1 << 22) == FV_NULL_POINTER);
    }
    SUBCASE("misaligned query") {
        c.test.problem.query.data = static_cast<const char*>(c.test.problem.query.data) + 1;
        CHECK(c.refused(FV_MISALIGNED, "query"));
    }
    SUBCASE("misaligned output") {
        r.col_sum.data = reinterpret_cast<char*>(c.outputs.colSum.data()) + 2;
        CHECK(c.refused(FV_MISALIGNED, "col_sum"));
    }
    SUBCASE("misaligned workspace") {
        CHECK(fv_stats_run(&c.test.problem, &r, &c.exec, c.workspace.data() + 4, (1 << 22) - 4) ==
              FV_MISALIGNED);
    }
    SUBCASE("two outputs in one place") {
        r.col_max.data = r.col_sum.data;
        CHECK(c.refused(FV_OVERLAP, "col_max"));
    }
    SUBCASE("the last element of one is the first of the other") {
        r.col_max.data = c.outputs.colSum.data() + 2 * 4 * 30 - 1;
        CHECK(c.refused(FV_OVERLAP, "col_max"));
    }
    SUBCASE("the first element of one is the last of the other") {
        Guarded<float> both(2 * 2 * 4 * 30);
        r.col_sum.data = both.data() + 2 * 4 * 30 - 1;
        r.col_max.data = both.data();
        CHECK(c.refused(FV_OVERLAP, "col_max"));
        CHECK(both.untouched());
        r.col_sum.data = both.data() + 2 * 4 * 30;
        CHECK(c.run() == FV_OK);
        CHECK(both.fullyWritten());
    }
    SUBCASE("heads of one output overlap") {
        r.col_sum.stride_h = 29;
        CHECK(c.refused(FV_OVERLAP, "col_sum"));
    }
    SUBCASE("an output in the workspace") {
        r.col_sum.data = c.workspace.data() + 64;
        CHECK(c.refused(FV_OVERLAP, "workspace"));
    }
    SUBCASE("interleaved outputs are fine") {
        Guarded<float> both(2 * 4 * 60);
        r.col_sum = {both.data(), 240, 60};
        r.col_max = {both.data() + 30, 240, 60};
        CHECK(c.run() == FV_OK);
        CHECK(both.fullyWritten());
    }
    SUBCASE("interleaved outputs that meet are not") {
        Guarded<float> both(2 * 4 * 60 + 30);
        r.col_sum = {both.data(), 240, 60};
        r.col_max = {both.data() + 29, 240, 60};
        CHECK(c.refused(FV_OVERLAP, "col_max"));
    }
}

TEST_CASE("checks: sizes, strides and values") {
    Call c;
    fv_problem& p = c.test.problem;
    fv_stats_request& r = c.outputs.request;
    SUBCASE("struct_size") {
        p.struct_size = 8;
        CHECK(c.refused(FV_BAD_SIZE, "struct_size"));
    }
    SUBCASE("batch") {
        p.batch = 0;
        CHECK(c.refused(FV_BAD_SIZE, "batch"));
    }
    SUBCASE("tq") {
        p.tq = 0;
        CHECK(c.refused(FV_BAD_SIZE, "tq"));
    }
    SUBCASE("tk") {
        p.tk = -1;
        CHECK(c.refused(FV_BAD_SIZE, "tk"));
    }
    SUBCASE("tk of 2^40") {
        p.tk = int64_t{1} << 40;
        CHECK(c.refused(FV_BAD_SIZE, "tk"));
    }
    SUBCASE("d") {
        p.d = 257;
        CHECK(c.refused(FV_BAD_SIZE, "d"));
    }
    SUBCASE("d of 0") {
        p.d = 0;
        CHECK(c.refused(FV_BAD_SIZE, "d"));
    }
    SUBCASE("heads") {
        p.q_heads = 3;
        CHECK(c.refused(FV_BAD_SIZE, "kv_heads"));
    }
    SUBCASE("more key heads than query heads") {
        p.kv_heads = 8;
        CHECK(c.refused(FV_BAD_SIZE, "kv_heads"));
    }
    SUBCASE("negative stride") {
        p.query.stride_t = -8;
        CHECK(c.refused(FV_BAD_SIZE, "query"));
    }
    SUBCASE("stride smaller than a token") {
        p.key.stride_t = 7;
        CHECK(c.refused(FV_BAD_SIZE, "key"));
    }
    SUBCASE("heads on one place") {
        p.key.stride_h = 0;
        CHECK(c.refused(FV_BAD_SIZE, "key"));
    }
    SUBCASE("dtype") {
        p.dtype = static_cast<fv_dtype>(7);
        CHECK(c.refused(FV_BAD_VALUE, "dtype"));
    }
    SUBCASE("scale") {
        p.scale = std::nanf("");
        CHECK(c.refused(FV_BAD_VALUE, "scale"));
    }
    SUBCASE("softcap") {
        p.softcap = -1;
        CHECK(c.refused(FV_BAD_VALUE, "softcap"));
    }
    SUBCASE("causal") {
        p.causal = 2;
        CHECK(c.refused(FV_BAD_VALUE, "causal"));
    }
    SUBCASE("window") {
        p.window_left = -2;
        CHECK(c.refused(FV_BAD_SIZE, "window"));
    }
    SUBCASE("prefix") {
        p.prefix = -1;
        CHECK(c.refused(FV_BAD_SIZE, "prefix"));
    }
    SUBCASE("one of the offsets") {
        c.test.setSequences({20}, {30});
        p.cu_seqlens_k = nullptr;
        CHECK(c.refused(FV_NULL_POINTER, "cu_seqlens"));
    }
    SUBCASE("falling offsets") {
        c.test.setSequences({12, 10, 20}, {10, 20, 30});
        CHECK(c.refused(FV_BAD_VALUE, "cu_seqlens_q"));
    }
    SUBCASE("offsets that end early") {
        c.test.setSequences({10, 20}, {10, 29});
        CHECK(c.refused(FV_BAD_VALUE, "cu_seqlens_k"));
    }
    SUBCASE("bias stride") {
        c.test.addBias(false);
        p.bias_stride_k = -1;
        CHECK(c.refused(FV_BAD_SIZE, "bias"));
    }
    SUBCASE("topk") {
        r.topk = 65;
        CHECK(c.refused(FV_BAD_SIZE, "topk"));
    }
    SUBCASE("block") {
        r.block = 7;
        CHECK(c.refused(FV_BAD_SIZE, "block"));
    }
    SUBCASE("groups") {
        r.groups = 33;
        CHECK(c.refused(FV_BAD_SIZE, "groups"));
    }
    SUBCASE("a group that is none") {
        c.outputs.keyGroup[29] = 3;
        CHECK(c.refused(FV_BAD_VALUE, "key_group"));
    }
    SUBCASE("level") {
        c.exec.cpu_level = 9;
        CHECK(c.refused(FV_BAD_VALUE, "cpu_level"));
    }
    SUBCASE("threads") {
        c.exec.threads = -1;
        CHECK(c.refused(FV_BAD_SIZE, "threads"));
    }
    SUBCASE("kind") {
        c.exec.kind = static_cast<fv_exec_kind>(5);
        CHECK(c.refused(FV_BAD_VALUE, "kind"));
    }
}

TEST_CASE("checks: the other calls refuse what they cannot do") {
    Case test({.qHeads = 2, .kvHeads = 2, .tq = 20, .tk = 30, .d = 8});
    std::vector<float> out(8192, -7), x(8192, 1);
    const std::vector<int32_t> rows{0, 19}, bad{0, 20};
    const auto lines = [&](const int32_t* r, const int32_t* c, int64_t count) {
        const fv_lines_request request{sizeof request, r, c, count, FV_HEADS_NONE, {out.data(), 0, 120}};
        return call<fv_lines_request>(fv_lines_workspace, fv_lines_run, test.problem, request, {});
    };
    CHECK(lines(rows.data(), nullptr, 2) == FV_OK);
    out.assign(out.size(), -7);
    CHECK(lines(rows.data(), rows.data(), 2) == FV_NULL_POINTER);
    CHECK(lines(nullptr, nullptr, 2) == FV_NULL_POINTER);
    CHECK(lines(bad.data(), nullptr, 2) == FV_BAD_VALUE);
    CHECK(lines(rows.data(), nullptr, 0) == FV_BAD_SIZE);
    CHECK(lines(rows.data(), nullptr, 4097) == FV_BAD_SIZE);
    const auto tile = [&](int64_t begin, int64_t end, int64_t size) {
        const fv_tile_request request{
            sizeof request, begin, end, 0, 30, size, size, FV_TILE_MEAN, FV_HEADS_MAX, {out.data(), 0, 0}};
        return call<fv_tile_request>(fv_tile_workspace, fv_tile_run, test.problem, request, {});
    };
    CHECK(tile(5, 5, 4) == FV_BAD_SIZE);
    CHECK(tile(0, 21, 4) == FV_BAD_SIZE);
    CHECK(tile(-1, 4, 4) == FV_BAD_SIZE);
    CHECK(tile(0, 20, 0) == FV_BAD_SIZE);
    CHECK(tile(0, 20, 4097) == FV_BAD_SIZE);
    fv_product_request product{sizeof product, 0, 9, x.data(), 0, 0, 1, {out.data(), 0, 0}};
    CHECK(call<fv_product_request>(fv_product_workspace, fv_product_run, test.problem, product, {}) ==
          FV_BAD_SIZE);
    product.columns = 1;
    product.x = nullptr;
    CHECK(call<fv_product_request>(fv_product_workspace, fv_product_run, test.problem, product, {}) ==
          FV_NULL_POINTER);
    fv_relevance_request relevance{sizeof relevance,  static_cast<fv_relevance_part>(4), 1, x.data(), 0,
                                   {out.data(), 0, 0}};
    CHECK(call<fv_relevance_request>(fv_relevance_workspace, fv_relevance_run, test.problem, relevance, {}) ==
          FV_BAD_VALUE);
    relevance.part = FV_SIGNED;
    test.problem.grad_output.data = nullptr;
    CHECK(call<fv_relevance_request>(fv_relevance_workspace, fv_relevance_run, test.problem, relevance, {}) ==
          FV_NULL_POINTER);
    fv_forward_request forward{};
    forward.struct_size = sizeof forward;
    forward.edit = FV_EDIT_SCALE;
    forward.out = {out.data(), 0, 160};
    forward.out_stride_t = 8;
    CHECK(call<fv_forward_request>(fv_forward_workspace, fv_forward_run, test.problem, forward, {}) ==
          FV_NULL_POINTER);
    forward.edit = FV_EDIT_NONE;
    forward.out_stride_t = 7;
    CHECK(call<fv_forward_request>(fv_forward_workspace, fv_forward_run, test.problem, forward, {}) ==
          FV_OVERLAP);
    for (float value : out) CHECK(value == -7);
}

TEST_CASE("checks: a device that is not there") {
    if (fv_device_count() > 0) return;
    Call c;
    c.exec.kind = FV_CUDA;
    CHECK(c.run() == FV_NO_DEVICE);
    CHECK(c.outputs.colSum.untouched());
}

TEST_CASE("cancel: a raised flag stops every call") {
    const volatile int stop = 1;
    Call c;
    c.exec.cancel = &stop;
    CHECK(c.run() == FV_CANCELLED);
    for (int threads : {1, 3}) {
        Case test({.tq = 300, .tk = 900, .d = 8});
        Guarded<float> out(300 * 900);
        const Runner runner{FV_LEVEL_BEST, threads, &stop};
        const fv_tile_request tile{sizeof tile,       0, 300, 0, 900, 30, 90, FV_TILE_MEAN, FV_HEADS_NONE,
                                   {out.data(), 0, 0}};
        CHECK(call<fv_tile_request>(fv_tile_workspace, fv_tile_run, test.problem, tile, runner) ==
              FV_CANCELLED);
        const int32_t row = 0;
        const fv_lines_request lines{sizeof lines, &row, nullptr, 1, FV_HEADS_MEAN, {out.data(), 0, 0}};
        CHECK(call<fv_lines_request>(fv_lines_workspace, fv_lines_run, test.problem, lines, runner) ==
              FV_CANCELLED);
        CHECK(out.guardsIntact());
    }
}

TEST_CASE("status texts are sentences of their own") {
    for (int status = FV_OK; status <= FV_UNSUPPORTED; ++status) {
        const std::string text = fv_status_text(static_cast<fv_status>(status));
        CHECK(text != "unknown status");
        CHECK(text.size() > 5);
    }
    CHECK(std::string(fv_status_text(static_cast<fv_status>(99))) == "unknown status");
}
