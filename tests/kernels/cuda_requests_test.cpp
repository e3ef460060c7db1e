#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iostream>

#include "kernels/cuda_support.h"

using namespace fovea::kernels::test;

namespace {

/// Sizes and runs one call; the workspace is exactly what was asked for.
template <class Request>
struct Caller {
    fv_status (*size)(const fv_problem*, const Request*, const fv_exec*, size_t*);
    fv_status (*call)(const fv_problem*, const Request*, const fv_exec*, void*, size_t);

    fv_status operator()(const fv_problem& p, const Request& request) const {
        const fv_exec exec = cudaExec();
        size_t bytes = 0;
        const fv_status sized = size(&p, &request, &exec, &bytes);
        if (sized != FV_OK) return sized;
        const DeviceArray workspace(bytes);
        const fv_status status = call(&p, &request, &exec, workspace.data(), bytes);
        if (cudaDeviceSynchronize() != cudaSuccess) return FV_DEVICE_ERROR;
        return workspace.guarded() ? status : FV_SMALL_WORKSPACE;
    }
};

const Caller<fv_lines_request> runLines{fv_lines_workspace, fv_lines_run};
const Caller<fv_tile_request> runTile{fv_tile_workspace, fv_tile_run};
const Caller<fv_product_request> runProduct{fv_product_workspace, fv_product_run};
const Caller<fv_relevance_request> runRelevance{fv_relevance_workspace, fv_relevance_run};
const Caller<fv_forward_request> runForward{fv_forward_workspace, fv_forward_run};

std::vector<Case> cases() {
    std::vector<Case> all;
    for (const fv_dtype dtype : {FV_BF16, FV_F16, FV_F32}) {
        all.push_back({.name = "full",
                       .dtype = dtype,
                       .batch = 2,
                       .qHeads = 4,
                       .kvHeads = 2,
                       .tq = 150,
                       .tk = 210,
                       .d = 64});
        all.push_back({.name = "causal",
                       .dtype = dtype,
                       .qHeads = 3,
                       .kvHeads = 1,
                       .tq = 200,
                       .tk = 200,
                       .d = 128,
                       .causal = true,
                       .lse = true,
                       .layout = Layout::TokensFirst});
        all.push_back({.name = "wide heads",
                       .dtype = dtype,
                       .tq = 70,
                       .tk = 130,
                       .d = 256,
                       .dv = 200,
                       .windowLeft = 40});
        all.push_back({.name = "odd",
                       .dtype = dtype,
                       .qHeads = 2,
                       .kvHeads = 2,
                       .tq = 33,
                       .tk = 75,
                       .d = 37,
                       .dv = 21,
                       .hideKeys = true,
                       .bias = true,
                       .softcap = 30,
                       .layout = Layout::Odd});
        all.push_back({.name = "empty rows",
                       .dtype = dtype,
                       .tq = 90,
                       .tk = 90,
                       .d = 40,
                       .dv = 96,
                       .causal = true,
                       .qOffset = -20});
    }
    return all;
}

std::string describe(const Trial& t) {
    return t.c.name + " dtype " + std::to_string(t.c.dtype);
}

/// One cell of batch entry b after the heads are joined; head counts only where they are kept apart.
double cell(const Trial& t, int64_t b, int64_t head, fv_head_reduce heads, int64_t q, int64_t k) {
    if (heads == FV_HEADS_NONE) return t.share(b * t.c.qHeads + head, q, k);
    double sum = 0, top = 0, low = 2;
    for (int64_t h = 0; h < t.c.qHeads; ++h) {
        const double p = t.share(b * t.c.qHeads + h, q, k);
        sum += p;
        top = std::max(top, p);
        low = std::min(low, p);
    }
    return heads == FV_HEADS_MEAN ? sum / static_cast<double>(t.c.qHeads) : heads == FV_HEADS_MAX ? top : low;
}

struct Error {
    double largest = 0;
    void see(double got, double expected, double tolerance) {
        const double e = std::abs(got - expected) / tolerance;
        if (!(e <= largest)) largest = e;
    }
};

fv_output outputOf(const DeviceArray& array, int64_t heads, int64_t count) {
    return {array.data(), heads * count, count};
}

void checkLines(const Trial& t, bool columns, fv_head_reduce heads) {
    const int64_t across = columns ? t.c.tk : t.c.tq, length = columns ? t.c.tq : t.c.tk;
    std::vector<int32_t> list;
    for (int64_t i = 0; i < 70; ++i) list.push_back(static_cast<int32_t>(i * 37 % across));
    const DeviceArray listDevice(list.size() * 4);
    const_cast<DeviceArray&>(listDevice).write(list.data());
    const int64_t maps = heads == FV_HEADS_NONE ? t.c.qHeads : 1, count = static_cast<int64_t>(list.size());
    const DeviceArray out(static_cast<size_t>(t.c.batch * maps * count * length) * 4);
    fv_lines_request request{};
    request.struct_size = sizeof request;
    (columns ? request.columns : request.rows) = static_cast<const int32_t*>(listDevice.data());
    request.count = count;
    request.heads = heads;
    request.out = outputOf(out, maps, count * length);
    REQUIRE_MESSAGE(runLines(t.problem, request) == FV_OK, describe(t));
    CHECK(out.guarded());
    const auto got = out.read<float>();
    Error error;
    for (int64_t map = 0; map < t.c.batch * maps; ++map)
        for (int64_t i = 0; i < count; ++i)
            for (int64_t j = 0; j < length; ++j) {
                const int64_t line = list[static_cast<size_t>(i)];
                const double expected =
                    cell(t, map / maps, map % maps, heads, columns ? j : line, columns ? line : j);
                error.see(got[static_cast<size_t>((map * count + i) * length + j)], expected,
                          t.tolerance * expected + 1e-30);
            }
    CHECK_MESSAGE(error.largest <= 1, describe(t), (columns ? " columns" : " rows"), " heads ", heads);
}

struct Window {
    int64_t row0, row1, column0, column1, height, width;
};

double overlap(double a0, double a1, double b0, double b1) {
    return std::max(0.0, std::min(a1, b1) - std::max(a0, b0));
}

void checkTile(const Trial& t, Window w, fv_tile_reduce reduce, fv_head_reduce heads) {
    const int64_t maps = heads == FV_HEADS_NONE ? t.c.qHeads : 1;
    const DeviceArray out(static_cast<size_t>(t.c.batch * maps * w.height * w.width) * 4);
    fv_tile_request request{};
    request.struct_size = sizeof request;
    request.row_begin = w.row0;
    request.row_end = w.row1;
    request.column_begin = w.column0;
    request.column_end = w.column1;
    request.height = w.height;
    request.width = w.width;
    request.reduce = reduce;
    request.heads = heads;
    request.out = outputOf(out, maps, w.height * w.width);
    REQUIRE_MESSAGE(runTile(t.problem, request) == FV_OK, describe(t));
    CHECK(out.guarded());
    const auto got = out.read<float>();
    const double tall = static_cast<double>(w.row1 - w.row0) / static_cast<double>(w.height);
    const double wide = static_cast<double>(w.column1 - w.column0) / static_cast<double>(w.width);
    Error error;
    for (int64_t map = 0; map < t.c.batch * maps; ++map)
        for (int64_t y = 0; y < w.height; ++y)
            for (int64_t x = 0; x < w.width; ++x) {
                const double y0 = static_cast<double>(w.row0) + tall * static_cast<double>(y), y1 = y0 + tall;
                const double x0 = static_cast<double>(w.column0) + wide * static_cast<double>(x),
                             x1 = x0 + wide;
                double sum = 0, top = 0;
                for (auto q = static_cast<int64_t>(y0); q < w.row1 && static_cast<double>(q) < y1; ++q)
                    for (auto k = static_cast<int64_t>(x0); k < w.column1 && static_cast<double>(k) < x1;
                         ++k) {
                        const double area =
                            overlap(static_cast<double>(q), static_cast<double>(q) + 1, y0, y1) *
                            overlap(static_cast<double>(k), static_cast<double>(k) + 1, x0, x1);
                        if (area < 1e-9) continue;
                        const double p = cell(t, map / maps, map % maps, heads, q, k);
                        sum += p * area;
                        top = std::max(top, p);
                    }
                const double expected = reduce == FV_TILE_MAX   ? top
                                        : reduce == FV_TILE_SUM ? sum
                                                                : sum / (tall * wide);
                error.see(got[static_cast<size_t>((map * w.height + y) * w.width + x)], expected,
                          (t.tolerance + 1e-5) * expected + 1e-12);
            }
    CHECK_MESSAGE(error.largest <= 1, describe(t), " tile ", w.height, "x", w.width, " reduce ", reduce,
                  " heads ", heads, " error ", error.largest);
}

std::vector<float> weights(int64_t count) {
    std::vector<float> x;
    for (int64_t i = 0; i < count; ++i) x.push_back(0.25f + static_cast<float>(i * 29 % 64) / 64.f);
    return x;
}

void checkProduct(const Trial& t, int64_t columns, bool transposed, bool mean) {
    const int64_t in = transposed ? t.c.tq : t.c.tk, length = transposed ? t.c.tk : t.c.tq,
                  maps = mean ? 1 : t.c.qHeads;
    const std::vector<float> x = weights(in * columns);
    DeviceArray xDevice(x.size() * 4);
    xDevice.write(x.data());
    const DeviceArray out(static_cast<size_t>(t.c.batch * maps * length * columns) * 4);
    fv_product_request request{};
    request.struct_size = sizeof request;
    request.transposed = transposed;
    request.columns = columns;
    request.x = static_cast<const float*>(xDevice.data());
    request.mean_heads = mean;
    request.out = outputOf(out, maps, length * columns);
    REQUIRE_MESSAGE(runProduct(t.problem, request) == FV_OK, describe(t));
    CHECK(out.guarded());
    const auto got = out.read<float>();
    Error error;
    for (int64_t map = 0; map < t.c.batch * maps; ++map)
        for (int64_t i = 0; i < length; ++i)
            for (int64_t column = 0; column < columns; ++column) {
                double sum = 0;
                for (int64_t j = 0; j < in; ++j)
                    sum += cell(t, map / maps, map % maps, mean ? FV_HEADS_MEAN : FV_HEADS_NONE,
                                transposed ? j : i, transposed ? i : j) *
                           x[static_cast<size_t>(j * columns + column)];
                error.see(got[static_cast<size_t>((map * length + i) * columns + column)], sum,
                          t.tolerance * sum + 1e-7);
            }
    CHECK_MESSAGE(error.largest <= 1, describe(t), " columns ", columns, " transposed ", transposed, " mean ",
                  mean, " error ", error.largest);
}

void checkRelevance(const Trial& t, fv_relevance_part part, int64_t columns) {
    const std::vector<float> x = weights(t.c.batch * t.c.tq * columns);
    DeviceArray xDevice(x.size() * 4);
    xDevice.write(x.data());
    const DeviceArray out(static_cast<size_t>(t.c.batch * t.c.tk * columns) * 4);
    fv_relevance_request request{};
    request.struct_size = sizeof request;
    request.part = part;
    request.columns = columns;
    request.x = static_cast<const float*>(xDevice.data());
    request.x_stride_b = t.c.tq * columns;
    request.out = outputOf(out, 1, t.c.tk * columns);
    REQUIRE_MESSAGE(runRelevance(t.problem, request) == FV_OK, describe(t));
    CHECK(out.guarded());
    const auto got = out.read<float>();
    Error error;
    for (int64_t b = 0; b < t.c.batch; ++b) {
        std::vector<double> e(static_cast<size_t>(t.c.tq * t.c.tk)), size(e.size());
        for (int64_t h = 0; h < t.c.qHeads; ++h)
            for (int64_t q = 0; q < t.c.tq; ++q)
                for (int64_t k = 0; k < t.c.tk; ++k) {
                    double dot = 0, magnitude = 0;
                    for (int64_t i = 0; i < t.value.dim; ++i) {
                        const double product = t.gradOutput.row(b, h, q)[i] *
                                               t.value.row(b, h / (t.c.qHeads / t.c.kvHeads), k)[i];
                        dot += product;
                        magnitude += std::abs(product);
                    }
                    const double p = t.share(b * t.c.qHeads + h, q, k), value = p * dot;
                    e[static_cast<size_t>(q * t.c.tk + k)] += part == FV_POSITIVE   ? std::max(0.0, value)
                                                              : part == FV_ABSOLUTE ? std::abs(value)
                                                                                    : value;
                    size[static_cast<size_t>(q * t.c.tk + k)] += p * magnitude;
                }
        for (int64_t k = 0; k < t.c.tk; ++k)
            for (int64_t column = 0; column < columns; ++column) {
                double sum = 0, bound = 0;
                for (int64_t q = 0; q < t.c.tq; ++q) {
                    const double weight = x[static_cast<size_t>((b * t.c.tq + q) * columns + column)] /
                                          static_cast<double>(t.c.qHeads);
                    sum += e[static_cast<size_t>(q * t.c.tk + k)] * weight;
                    bound += size[static_cast<size_t>(q * t.c.tk + k)] * weight;
                }
                error.see(got[static_cast<size_t>((b * t.c.tk + k) * columns + column)], sum,
                          t.tolerance * bound + 1e-7);
            }
    }
    CHECK_MESSAGE(error.largest <= 1, describe(t), " part ", part, " error ", error.largest);
}

double fromHalf(fv_dtype dtype, const void* data, int64_t index) {
    if (dtype == FV_F32) return static_cast<const float*>(data)[index];
    if (dtype == FV_F16) return static_cast<double>(static_cast<const _Float16*>(data)[index]);
    const uint32_t bits = static_cast<uint32_t>(static_cast<const uint16_t*>(data)[index]) << 16;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

void checkForward(const Trial& t, fv_edit_kind edit) {
    const int64_t dv = t.value.dim, heads = t.c.batch * t.c.qHeads, groups = 2;
    std::vector<int32_t> group;
    for (int64_t k = 0; k < t.c.tk; ++k)
        group.push_back(static_cast<int32_t>(k % 5 == 0 ? 0 : k % 5 == 1 ? 1 : -1));
    std::vector<float> factor;
    for (int64_t i = 0; i < t.c.qHeads * t.c.tq * groups; ++i)
        factor.push_back(static_cast<float>(i * 13 % 7) / 3.f);
    DeviceArray groupDevice(group.size() * 4), factorDevice(factor.size() * 4);
    groupDevice.write(group.data());
    factorDevice.write(factor.data());
    const size_t element = t.c.dtype == FV_F32 ? 4 : 2;
    const DeviceArray out(static_cast<size_t>(heads * t.c.tq * dv) * element),
        mass(static_cast<size_t>(heads * t.c.tq * groups) * 4), lse(static_cast<size_t>(heads * t.c.tq) * 4),
        rowMax(lse.bytes()), entropy(lse.bytes());
    fv_forward_request request{};
    request.struct_size = sizeof request;
    request.edit = edit;
    request.key_group = static_cast<const int32_t*>(groupDevice.data());
    request.groups = groups;
    request.factor = static_cast<const float*>(factorDevice.data());
    request.factor_stride_h = t.c.tq * groups;
    request.factor_stride_q = groups;
    request.factor_stride_g = 1;
    request.out = outputOf(out, t.c.qHeads, t.c.tq * dv);
    request.out_stride_t = dv;
    request.lse = outputOf(lse, t.c.qHeads, t.c.tq);
    request.group_mass = outputOf(mass, t.c.qHeads, t.c.tq * groups);
    request.row_max = outputOf(rowMax, t.c.qHeads, t.c.tq);
    request.row_entropy = outputOf(entropy, t.c.qHeads, t.c.tq);
    REQUIRE_MESSAGE(runForward(t.problem, request) == FV_OK, describe(t));
    CHECK(out.guarded());
    const auto bytes = out.read<char>();
    const auto masses = mass.read<float>(), normaliser = lse.read<float>();
    const double rounding = t.c.dtype == FV_F32 ? t.tolerance : t.c.dtype == FV_F16 ? 1.5e-3 : 8e-3;
    Error error, massError;
    for (int64_t head = 0; head < heads; ++head)
        for (int64_t q = 0; q < t.c.tq; ++q) {
            const int64_t b = head / t.c.qHeads, h = head % t.c.qHeads;
            std::vector<double> sum(static_cast<size_t>(dv)), size(sum.size());
            double total = 0, seen[2] = {};
            for (int64_t k = 0; k < t.c.tk; ++k) {
                const double p = t.share(head, q, k);
                const int32_t g = group[static_cast<size_t>(k)];
                if (g >= 0) seen[g] += p;
                const double f = edit == FV_EDIT_NONE || g < 0
                                     ? 1
                                     : factor[static_cast<size_t>((h * t.c.tq + q) * groups + g)];
                total += p * f;
                for (int64_t i = 0; i < dv; ++i) {
                    const double v = p * f * t.value.row(b, h / (t.c.qHeads / t.c.kvHeads), k)[i];
                    sum[static_cast<size_t>(i)] += v;
                    size[static_cast<size_t>(i)] += std::abs(v);
                }
            }
            const double scale = edit != FV_EDIT_RENORMALISE ? 1 : total > 0 ? 1 / total : 0;
            for (int64_t i = 0; i < dv; ++i)
                error.see(fromHalf(t.c.dtype, bytes.data(), (head * t.c.tq + q) * dv + i),
                          sum[static_cast<size_t>(i)] * scale,
                          rounding * size[static_cast<size_t>(i)] * scale + 1e-7);
            for (int64_t g = 0; g < groups; ++g)
                massError.see(masses[static_cast<size_t>((head * t.c.tq + q) * groups + g)], seen[g],
                              t.tolerance * seen[g] + 1e-7);
        }
    CHECK_MESSAGE(error.largest <= 1, describe(t), " edit ", edit, " error ", error.largest);
    CHECK_MESSAGE(massError.largest <= 1, describe(t), " group mass error ", massError.largest);
}

}  // namespace

TEST_CASE("cuda requests: lines, tiles, products, relevance and the edited forward agree with float64") {
    const std::vector<Case> all = cases();
    if (deviceMissing("cuda requests", static_cast<int64_t>(all.size()))) return;
    for (const Case& c : all) {
        const Trial t(c);
        for (const fv_head_reduce heads : {FV_HEADS_NONE, FV_HEADS_MEAN, FV_HEADS_MAX, FV_HEADS_MIN}) {
            checkLines(t, false, heads);
            checkLines(t, true, heads);
            checkTile(t, {0, c.tq, 0, c.tk, 20, 31}, FV_TILE_MEAN, heads);
            checkTile(t, {3, 30, 10, 70, 64, 100}, FV_TILE_MAX, heads);
        }
        checkTile(t, {0, c.tq, 0, c.tk, c.tq, c.tk}, FV_TILE_MEAN, FV_HEADS_NONE);
        checkTile(t, {0, c.tq, 5, c.tk, 1, 1}, FV_TILE_SUM, FV_HEADS_NONE);
        if (c.tq >= 128 && c.tk >= 192)
            for (const fv_tile_reduce reduce : {FV_TILE_MEAN, FV_TILE_MAX, FV_TILE_SUM}) {
                checkTile(t, {0, 128, 64, 192, 1, 2}, reduce, FV_HEADS_NONE);
                checkTile(t, {64, 128, 0, 192, 1, 3}, reduce, FV_HEADS_NONE);
            }
        // Pixels of 32 cells and more that cut the cells of 64 x 64.
        if (c.tq >= 128 && c.tk >= 192)
            for (const fv_tile_reduce reduce : {FV_TILE_MEAN, FV_TILE_MAX, FV_TILE_SUM}) {
                checkTile(t, {3, 125, 10, 190, 2, 3}, reduce, FV_HEADS_NONE);
                checkTile(t, {65, 128, 70, 192, 1, 3}, reduce, FV_HEADS_NONE);
                checkTile(t, {0, c.tq, 0, c.tk, c.tq / 33, c.tk / 40}, reduce, FV_HEADS_NONE);
                checkTile(t, {1, c.tq, 5, c.tk, 1, 1}, reduce, FV_HEADS_NONE);
                if (reduce != FV_TILE_MAX) checkTile(t, {3, 125, 10, 190, 3, 2}, reduce, FV_HEADS_MEAN);
            }
        checkTile(t, {7, 8, 9, 11, 5, 3}, FV_TILE_SUM, FV_HEADS_MEAN);
        checkTile(t, {1, 33, 2, 66, 16, 32}, FV_TILE_MAX, FV_HEADS_MEAN);
        for (const int64_t columns : {1, 3, 8})
            for (const bool transposed : {false, true}) {
                checkProduct(t, columns, transposed, false);
                checkProduct(t, columns, transposed, true);
            }
        for (const fv_relevance_part part : {FV_POSITIVE, FV_SIGNED, FV_ABSOLUTE}) checkRelevance(t, part, 2);
        for (const fv_edit_kind edit : {FV_EDIT_NONE, FV_EDIT_SCALE, FV_EDIT_RENORMALISE})
            checkForward(t, edit);
    }
    std::cout << "cuda requests: " << all.size() << " problems\n";
}

TEST_CASE("cuda requests: bad input is refused with a reason") {
    if (deviceMissing("cuda refusals", 4)) return;
    const Trial t({.name = "refusals", .tq = 40, .tk = 40});
    const DeviceArray out(64 * 4);
    fv_stats_request request{};
    request.struct_size = sizeof request;
    request.col_sum = outputOf(out, 1, 40);
    fv_exec exec = cudaExec();
    size_t bytes = 0;
    REQUIRE(fv_stats_workspace(&t.problem, &request, &exec, &bytes) == FV_OK);
    const DeviceArray workspace(bytes);
    CHECK(fv_stats_run(&t.problem, &request, &exec, workspace.data(), bytes - 1) == FV_SMALL_WORKSPACE);
    CHECK(fv_stats_run(&t.problem, &request, &exec, nullptr, bytes) == FV_NULL_POINTER);
    int raised = 1;
    exec.cancel = &raised;
    CHECK(fv_stats_run(&t.problem, &request, &exec, workspace.data(), bytes) == FV_CANCELLED);
    exec.cancel = nullptr;
    exec.device = 99;
    CHECK(fv_stats_run(&t.problem, &request, &exec, workspace.data(), bytes) == FV_NO_DEVICE);
}
