#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iostream>
#include <memory>
#include <set>

#include "kernels/cuda_support.h"

using namespace fovea::kernels::test;

namespace {

std::vector<Case> statsCases() {
    std::vector<Case> cases;
    const auto add = [&](Case c) { cases.push_back(std::move(c)); };
    for (const fv_dtype dtype : {FV_BF16, FV_F16, FV_F32})
        for (const int64_t d : {8, 16, 32, 40, 48, 64, 72, 80, 96, 112, 128, 160, 192, 256}) {
            Case c{
                .name = "d" + std::to_string(d), .dtype = dtype, .qHeads = 2, .tq = 130, .tk = 300, .d = d};
            add(c);
            c.causal = true;
            c.qOffset = 170;
            c.layout = Layout::TokensFirst;
            add(c);
        }
    for (const int64_t tokens :
         {1, 2, 7, 15, 16, 17, 48, 49, 63, 64, 65, 127, 128, 129, 197, 255, 256, 257, 577, 1025}) {
        add({.name = "square", .qHeads = 2, .tq = tokens, .tk = tokens});
        add({.name = "causal",
             .qHeads = 2,
             .tq = tokens,
             .tk = tokens,
             .d = 128,
             .causal = true,
             .lse = true});
        add({.name = "wide",
             .dtype = FV_F32,
             .tq = 5,
             .tk = tokens,
             .d = 40,
             .causal = true,
             .qOffset = tokens - 5});
        add({.name = "tall", .dtype = FV_F16, .tq = tokens, .tk = 70, .d = 72, .causal = true, .qOffset = 5});
    }
    for (const fv_dtype dtype : {FV_BF16, FV_F32}) {
        for (const int64_t window : {1, 17, 256})
            add({.name = "window",
                 .dtype = dtype,
                 .tq = 700,
                 .tk = 700,
                 .d = 128,
                 .causal = true,
                 .windowLeft = window});
        add({.name = "window both sides",
             .dtype = dtype,
             .tq = 333,
             .tk = 700,
             .qOffset = 200,
             .windowLeft = 9,
             .windowRight = 40});
        add({.name = "prefix",
             .dtype = dtype,
             .tq = 500,
             .tk = 500,
             .d = 128,
             .causal = true,
             .prefix = 140});
        add({.name = "hidden keys",
             .dtype = dtype,
             .batch = 3,
             .qHeads = 2,
             .tq = 300,
             .tk = 520,
             .d = 96,
             .hideKeys = true});
        add({.name = "causal hidden keys",
             .dtype = dtype,
             .batch = 2,
             .tq = 520,
             .tk = 520,
             .d = 128,
             .causal = true,
             .hideKeys = true});
        add({.name = "sequences",
             .dtype = dtype,
             .qHeads = 2,
             .tq = 400,
             .tk = 500,
             .seqQ = {0, 100, 100, 107, 400},
             .seqK = {0, 64, 70, 70, 500}});
        std::vector<int32_t> many(5001);  // of one token, with some empty ones: offsets on the device
        for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<int32_t>(i * 600 / 5000);
        add({.name = "many sequences", .dtype = dtype, .tq = 600, .tk = 600, .d = 32, .seqQ = many, .seqK = many});
        add({.name = "causal sequences",
             .dtype = dtype,
             .tq = 400,
             .tk = 400,
             .d = 128,
             .causal = true,
             .seqQ = {0, 77, 77, 300, 400},
             .seqK = {0, 77, 77, 300, 400}});
        for (const int64_t group : {1, 2, 3, 7, 8})
            add({.name = "groups",
                 .dtype = dtype,
                 .batch = 2,
                 .qHeads = 2 * group,
                 .kvHeads = 2,
                 .tq = 90,
                 .tk = 270,
                 .d = 128});
        add({.name = "bias", .dtype = dtype, .batch = 2, .qHeads = 2, .tq = 197, .tk = 197, .bias = true});
        add({.name = "softcap",
             .dtype = dtype,
             .tq = 197,
             .tk = 300,
             .d = 128,
             .causal = true,
             .qOffset = 103,
             .softcap = 30});
        add({.name = "odd rows",
             .dtype = dtype,
             .qHeads = 2,
             .tq = 150,
             .tk = 190,
             .d = 64,
             .layout = Layout::Odd});
        add({.name = "odd size", .dtype = dtype, .qHeads = 2, .tq = 150, .tk = 190, .d = 37});
        for (const int64_t d : {64, 128}) {
            add({.name = "sharp", .dtype = dtype, .tq = 500, .tk = 600, .d = d, .values = Values::Sharp});
            add({.name = "constant keys",
                 .dtype = dtype,
                 .tq = 500,
                 .tk = 600,
                 .d = d,
                 .causal = true,
                 .values = Values::ConstantKeys});
            add({.name = "sink", .dtype = dtype, .tq = 500, .tk = 600, .d = d, .values = Values::Sink});
        }
        add({.name = "masked rows",
             .dtype = dtype,
             .tq = 300,
             .tk = 300,
             .d = 128,
             .causal = true,
             .qOffset = -70});
    }
    return cases;
}

/// Every output of fv_stats on the device.
struct Outputs {
    static constexpr int64_t k = 8;
    int64_t block, groups = 3, heads, cells;
    std::vector<std::unique_ptr<DeviceArray>> arrays;
    std::vector<int32_t> keyGroup;
    DeviceArray keyGroupDevice;
    fv_stats_request request{};

    Outputs(const Case& c, int64_t blockSize)
        : block(blockSize),
          heads(c.batch * c.qHeads),
          cells(((c.tq + block - 1) / block) * ((c.tk + block - 1) / block)),
          keyGroup(static_cast<size_t>(c.tk)),
          keyGroupDevice(static_cast<size_t>(c.tk) * 4) {
        for (int64_t j = 0; j < c.tk; ++j)
            keyGroup[static_cast<size_t>(j)] = static_cast<int32_t>(j * 7 % 4) - 1;
        keyGroupDevice.write(keyGroup.data());
        const auto make = [&](int64_t count) {
            arrays.push_back(std::make_unique<DeviceArray>(static_cast<size_t>(heads * count) * 4));
            return fv_output{arrays.back()->data(), c.qHeads * count, count};
        };
        request.struct_size = sizeof request;
        request.lse = make(c.tq);
        request.col_sum = make(c.tk);
        request.col_max = make(c.tk);
        request.col_argmax = make(c.tk);
        request.row_max = make(c.tq);
        request.row_entropy = make(c.tq);
        request.row_sum = make(c.tq);
        request.row_argmax = make(c.tq);
        request.topk = request.col_topk = k;
        request.topk_value = make(c.tq * k);
        request.topk_index = make(c.tq * k);
        request.col_topk_value = make(c.tk * k);
        request.col_topk_index = make(c.tk * k);
        request.block = block;
        request.pooled_mean = make(cells);
        request.pooled_max = make(cells);
        request.key_group = static_cast<const int32_t*>(keyGroupDevice.data());
        request.groups = groups;
        request.group_mass = make(c.tq * groups);
        arrays.push_back(std::make_unique<DeviceArray>(4));
        request.flags = static_cast<int32_t*>(arrays.back()->data());
    }

    std::vector<float> floats(const fv_output& o) const { return find(o.data).read<float>(); }
    std::vector<int32_t> ints(const void* data) const { return find(data).read<int32_t>(); }
    bool guarded() const {
        return std::all_of(arrays.begin(), arrays.end(), [](const auto& a) { return a->guarded(); });
    }

private:
    const DeviceArray& find(const void* data) const {
        for (const auto& a : arrays)
            if (a->data() == data) return *a;
        throw std::logic_error("no such output");
    }
};

fv_status runStats(const fv_problem& p, const fv_stats_request& request, std::string& message) {
    fv_exec exec = cudaExec();
    char text[200] = "";
    exec.message = text;
    exec.message_size = sizeof text;
    size_t bytes = 0;
    fv_status status = fv_stats_workspace(&p, &request, &exec, &bytes);
    if (status == FV_OK) {
        const DeviceArray workspace(bytes);
        status = fv_stats_run(&p, &request, &exec, workspace.data(), bytes);
        if (cudaDeviceSynchronize() != cudaSuccess) status = FV_DEVICE_ERROR;
        if (!workspace.guarded()) status = FV_SMALL_WORKSPACE;
    }
    message = text;
    return status;
}

/// The largest error of one kind of output, in units of its tolerance.
struct Worst {
    double error = 0;
    std::string where;
    void see(double got, double expected, double tolerance, const std::string& what) {
        const double e = std::abs(got - expected) / tolerance;
        if (!(e <= error)) {
            error = e;
            where = what + " got " + std::to_string(got) + " expected " + std::to_string(expected);
        }
    }
};

/// Lines of the probability matrix of one head, so that rows and columns are checked by the same code.
struct LineView {
    const Trial& t;
    int64_t head;
    bool columns;
    int64_t length() const { return columns ? t.c.tq : t.c.tk; }
    double at(int64_t line, int64_t i) const {
        return columns ? t.share(head, i, line) : t.share(head, line, i);
    }
    int64_t seen(int64_t line) const {
        int64_t count = 0;
        for (int64_t i = 0; i < length(); ++i)
            count += columns ? t.visible(head / t.c.qHeads, i, line) : t.visible(head / t.c.qHeads, line, i);
        return count;
    }
};

void seeLargest(Worst& worst, const LineView& view, int64_t line, double max, int32_t arg,
                const std::string& what) {
    double top = 0;
    for (int64_t i = 0; i < view.length(); ++i) top = std::max(top, view.at(line, i));
    worst.see(max, top, view.t.tolerance * top + 1e-36, what + " max");
    if (view.seen(line) == 0)
        worst.see(arg, -1, 1e-3, what + " argmax of nothing");
    else if (arg < 0 || arg >= view.length())
        worst.see(arg, 0, 1e-3, what + " argmax out of range");
    else
        worst.see(view.at(line, arg), top, 2 * view.t.tolerance * top + 1e-36, what + " value at the argmax");
}

void seeList(Worst& worst, const LineView& view, int64_t line, const float* value, const int32_t* index,
             const std::string& what) {
    std::vector<double> sorted;
    for (int64_t i = 0; i < view.length(); ++i) sorted.push_back(view.at(line, i));
    std::sort(sorted.rbegin(), sorted.rend());
    const int64_t seen = view.seen(line);
    std::set<int32_t> used;
    for (int64_t i = 0; i < Outputs::k; ++i) {
        if (i >= seen) {
            worst.see(index[i], -1, 1e-3, what + " index beyond the end");
            worst.see(value[i], 0, 1e-30, what + " value beyond the end");
            continue;
        }
        const double expected = sorted[static_cast<size_t>(i)],
                     tolerance = 2 * view.t.tolerance * expected + 1e-36;
        worst.see(value[i], expected, tolerance, what + " value");
        const bool fresh = index[i] >= 0 && index[i] < view.length() && used.insert(index[i]).second;
        worst.see(fresh, 1, 1e-3, what + " index is new");
        if (fresh) worst.see(view.at(line, index[i]), expected, tolerance, what + " value at the index");
    }
}

Worst compare(const Trial& t, const Outputs& out) {
    Worst worst;
    const Case& c = t.c;
    const auto lse = out.floats(out.request.lse), rowMax = out.floats(out.request.row_max),
               rowSum = out.floats(out.request.row_sum), entropy = out.floats(out.request.row_entropy),
               colSum = out.floats(out.request.col_sum), colMax = out.floats(out.request.col_max),
               mean = out.floats(out.request.pooled_mean), peak = out.floats(out.request.pooled_max),
               mass = out.floats(out.request.group_mass), topValue = out.floats(out.request.topk_value),
               colTopValue = out.floats(out.request.col_topk_value);
    const auto rowArg = out.ints(out.request.row_argmax.data), colArg = out.ints(out.request.col_argmax.data),
               topIndex = out.ints(out.request.topk_index.data),
               colTopIndex = out.ints(out.request.col_topk_index.data);
    worst.see(out.ints(out.request.flags)[0], 0, 1e-3, "flags");
    const double tol = t.tolerance;
    for (int64_t head = 0; head < out.heads; ++head) {
        const LineView rows{t, head, false}, columns{t, head, true};
        for (int64_t q = 0; q < c.tq; ++q) {
            const size_t at = static_cast<size_t>(head * c.tq + q);
            double sum = 0, h = 0, groups[3] = {};
            for (int64_t k = 0; k < c.tk; ++k) {
                const double p = rows.at(q, k);
                sum += p;
                if (p > 0) h -= p * std::log(p);
                const int32_t g = out.keyGroup[static_cast<size_t>(k)];
                if (g >= 0) groups[g] += p;
            }
            if (std::isinf(t.lse[at]))
                worst.see(std::isinf(lse[at]) && lse[at] < 0, 1, 1e-3, "lse of nothing");
            else
                worst.see(lse[at], t.lse[at], 2e-6 * std::max(1.0, std::abs(t.lse[at])) + (tol - 1e-5),
                          "lse");
            worst.see(rowSum[at], sum, 2e-5 + tol, "row sum");
            worst.see(entropy[at], h, 2e-5 + tol * (1 + 2 * h), "entropy");
            for (int64_t g = 0; g < 3; ++g)
                worst.see(mass[at * 3 + static_cast<size_t>(g)], groups[g], tol * groups[g] + 1e-7,
                          "group mass");
            seeLargest(worst, rows, q, rowMax[at], rowArg[at], "row");
            seeList(worst, rows, q, &topValue[at * Outputs::k], &topIndex[at * Outputs::k], "row list");
        }
        for (int64_t k = 0; k < c.tk; ++k) {
            const size_t at = static_cast<size_t>(head * c.tk + k);
            double sum = 0;
            for (int64_t q = 0; q < c.tq; ++q) sum += columns.at(k, q);
            worst.see(colSum[at], sum, tol * sum + 1e-6, "column sum");
            seeLargest(worst, columns, k, colMax[at], colArg[at], "column");
            seeList(worst, columns, k, &colTopValue[at * Outputs::k], &colTopIndex[at * Outputs::k],
                    "column list");
        }
        const int64_t across = (c.tk + out.block - 1) / out.block;
        for (int64_t cell = 0; cell < out.cells; ++cell) {
            const int64_t q0 = cell / across * out.block, k0 = cell % across * out.block;
            double sum = 0, top = 0;
            const int64_t q1 = std::min(q0 + out.block, c.tq), k1 = std::min(k0 + out.block, c.tk);
            for (int64_t q = q0; q < q1; ++q)
                for (int64_t k = k0; k < k1; ++k) {
                    sum += t.share(head, q, k);
                    top = std::max(top, t.share(head, q, k));
                }
            const double average = sum / static_cast<double>((q1 - q0) * (k1 - k0));
            const size_t at = static_cast<size_t>(head * out.cells + cell);
            worst.see(mean[at], average, tol * average + 1e-12, "pooled mean");
            worst.see(peak[at], top, tol * top + 1e-36, "pooled max");
        }
    }
    return worst;
}

std::string describe(const Case& c) {
    const char* dtypes[] = {"f32", "f16", "bf16"};
    return c.name + " " + dtypes[c.dtype] + " " + std::to_string(c.batch) + "x" + std::to_string(c.qHeads) +
           "/" + std::to_string(c.kvHeads) + " " + std::to_string(c.tq) + "x" + std::to_string(c.tk) + " d" +
           std::to_string(c.d);
}

}  // namespace

TEST_CASE("cuda statistics: every output agrees with float64") {
    const std::vector<Case> cases = statsCases();
    if (deviceMissing("cuda statistics", static_cast<int64_t>(cases.size()))) return;
    const int64_t blocks[] = {64, 128, 24, 512, 8, 192};
    size_t index = 0;
    double largest = 0;
    for (Case c : cases) {
        if (c.kvHeads == 1 && c.qHeads > 1 && c.name != "groups") c.kvHeads = c.qHeads;
        const Trial trial(c);
        const Outputs out(c, blocks[index++ % 6]);
        std::string message;
        const fv_status status = runStats(trial.problem, out.request, message);
        CHECK_MESSAGE(status == FV_OK, describe(c), ": ", fv_status_text(status), " ", message);
        if (status != FV_OK) {
            if (status == FV_DEVICE_ERROR) return;
            continue;
        }
        CHECK_MESSAGE(out.guarded(), describe(c));
        const Worst worst = compare(trial, out);
        CHECK_MESSAGE(worst.error <= 1, describe(c), " block ", out.block, ": ", worst.where, " (",
                      worst.error, ")");
        largest = std::max(largest, worst.error);
    }
    std::cout << "cuda statistics: " << cases.size() << " cases, worst error " << largest
              << " of its tolerance\n";
}

TEST_CASE("cuda statistics: the same bytes again and again, and whatever else is asked for") {
    if (deviceMissing("cuda determinism", 4)) return;
    for (const fv_dtype dtype : {FV_BF16, FV_F32})
        for (const int64_t heads : {1, 12}) {
            const Trial trial({.name = "again",
                               .dtype = dtype,
                               .qHeads = heads,
                               .kvHeads = heads,
                               .tq = 640,
                               .tk = 640,
                               .d = 64,
                               .causal = true});
            const Outputs all(trial.c, 64);
            std::string message;
            REQUIRE(runStats(trial.problem, all.request, message) == FV_OK);
            std::vector<std::vector<int32_t>> first;
            for (const auto& array : all.arrays) first.push_back(array->read<int32_t>());
            for (int repeat = 0; repeat < 20; ++repeat) {
                for (const auto& array : all.arrays) array->poison();
                REQUIRE(runStats(trial.problem, all.request, message) == FV_OK);
                for (size_t i = 0; i < first.size(); ++i) CHECK(first[i] == all.arrays[i]->read<int32_t>());
            }
            fv_output fv_stats_request::*const single[] = {
                &fv_stats_request::col_sum,     &fv_stats_request::col_max,    &fv_stats_request::row_entropy,
                &fv_stats_request::pooled_mean, &fv_stats_request::row_argmax, &fv_stats_request::col_argmax};
            std::vector<std::vector<int32_t>> together;
            for (const auto member : single) together.push_back(all.ints((all.request.*member).data));
            for (size_t i = 0; i < together.size(); ++i) {
                const auto member = single[i];
                fv_stats_request alone{};
                alone.struct_size = sizeof alone;
                alone.block = 64;
                alone.*member = all.request.*member;
                for (const auto& array : all.arrays) array->poison();
                REQUIRE(runStats(trial.problem, alone, message) == FV_OK);
                CHECK(together[i] == all.ints((all.request.*member).data));
            }
        }
}

TEST_CASE("cuda statistics: NaN and infinity are reported") {
    if (deviceMissing("cuda flags", 12)) return;
    for (const fv_dtype dtype : {FV_BF16, FV_F16, FV_F32})
        for (const double bad : {std::nan(""), static_cast<double>(INFINITY)})
            for (const bool inKey : {false, true}) {
                Trial trial({.name = "bad", .dtype = dtype, .tq = 100, .tk = 300, .d = 64});
                Tensor& tensor = inKey ? trial.key : trial.query;
                tensor.row(0, 0, 50)[3] = bad;
                tensor.upload(dtype);
                const Outputs out(trial.c, 64);
                std::string message;
                REQUIRE(runStats(trial.problem, out.request, message) == FV_OK);
                CHECK(out.ints(out.request.flags)[0] == FV_SAW_NONFINITE);
            }
}
