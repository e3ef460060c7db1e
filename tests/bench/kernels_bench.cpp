// Times the CPU kernels against each other and against the FMA peak of the core, interleaved in one run.
//
// Usage: kernels_bench [--rounds N] [--threads N] [--quick]; prints one JSON object. Ratios are medians of
// the ratios of neighbouring runs, so that a slow moment of the machine hits both sides.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "cpu/half.h"
#include "cpu/level.h"
#include "fovea/kernels/statistics.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

using namespace fovea::kernels::cpu;
using Clock = std::chrono::steady_clock;

double seconds(const std::function<void()>& work) {
    const Clock::time_point start = Clock::now();
    work();
    return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

// Threads that wait for the next round of work.
class Pool {
public:
    explicit Pool(int threads) {
        for (int i = 1; i < threads; ++i) m_threads.emplace_back([this] { serve(); });
    }
    ~Pool() {
        m_stop = true;
        ++m_round;
        m_round.notify_all();
        for (std::thread& thread : m_threads) thread.join();
    }
    static void run(void* self, int64_t parts, void (*body)(void*, int64_t), void* argument) {
        Pool& pool = *static_cast<Pool*>(self);
        pool.m_body = body;
        pool.m_argument = argument;
        pool.m_parts = parts;
        pool.m_next = 0;
        pool.m_busy = static_cast<int>(pool.m_threads.size());
        ++pool.m_round;
        pool.m_round.notify_all();
        pool.take();
        while (pool.m_busy) std::this_thread::yield();
    }

private:
    void take() {
        for (int64_t part = m_next++; part < m_parts; part = m_next++) m_body(m_argument, part);
    }
    void serve() {
        for (int64_t seen = 0;;) {
            m_round.wait(seen);
            seen = m_round;
            if (m_stop) return;
            take();
            --m_busy;
        }
    }

    std::vector<std::thread> m_threads;
    std::atomic<int64_t> m_round{0}, m_next{0};
    std::atomic<int> m_busy{0};
    std::atomic<bool> m_stop{false};
    void (*m_body)(void*, int64_t) = nullptr;
    void* m_argument = nullptr;
    int64_t m_parts = 0;
};

#if defined(__x86_64__)
// 24 independent chains of fused multiply-adds, 16 or 8 lanes; the chains are local, so that they stay in
// registers.
__attribute__((target("avx512f"))) double peak512(int64_t repeats) {
    __m512 acc[24];
    for (__m512& x : acc) x = _mm512_set1_ps(1);
    const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(1e-3f);
    const Clock::time_point start = Clock::now();
    for (int64_t i = 0; i < repeats; ++i) {
#pragma GCC unroll 24
        for (int k = 0; k < 24; ++k) acc[k] = _mm512_fmadd_ps(acc[k], a, b);
    }
    const double time = std::chrono::duration<double>(Clock::now() - start).count();
    volatile float sink = 0;
#pragma GCC unroll 24
    for (int k = 0; k < 24; ++k) sink = sink + _mm512_cvtss_f32(acc[k]);
    return 24.0 * 32 * static_cast<double>(repeats) / time / 1e9;
}

__attribute__((target("avx2,fma"))) double peak256(int64_t repeats) {
    __m256 acc[12];
    for (__m256& x : acc) x = _mm256_set1_ps(1);
    const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(1e-3f);
    const Clock::time_point start = Clock::now();
    for (int64_t i = 0; i < repeats; ++i) {
#pragma GCC unroll 12
        for (int k = 0; k < 12; ++k) acc[k] = _mm256_fmadd_ps(acc[k], a, b);
    }
    const double time = std::chrono::duration<double>(Clock::now() - start).count();
    volatile float sink = 0;
#pragma GCC unroll 12
    for (int k = 0; k < 12; ++k) sink = sink + _mm256_cvtss_f32(acc[k]);
    return 12.0 * 16 * static_cast<double>(repeats) / time / 1e9;
}

double peak(int level) {
    return level >= FV_LEVEL_AVX512 ? peak512(200000) : level == FV_LEVEL_AVX2 ? peak256(400000) : 0;
}
#else
double peak(int) {
    return 0;
}
#endif

struct Options {
    int rounds = 15, threads = 2;
    bool quick = false;
};

// The register tile alone on one packed block that stays in the second-level cache.
void benchTile(const Options& options, int level) {
    const Level& table = levelOf(level);
    std::vector<double> rates, shares;
    const int depth = 128;
    std::vector<float> lines(static_cast<size_t>(table.tileRows * depth), 0.5f),
        panels(static_cast<size_t>(kBlock * depth), 0.25f);
    std::vector<float> tile(static_cast<size_t>(table.tileRows * kBlock + 16));
    for (int round = 0; round < options.rounds; ++round) {
        const int repeats = 2000;
        const double time = seconds([&] {
            for (int i = 0; i < repeats; ++i)
                table.scores(lines.data(), panels.data(), depth, 0, kBlock, tile.data());
        });
        rates.push_back(2.0 * table.tileRows * kBlock * depth * repeats / time / 1e9);
        shares.push_back(rates.back() / peak(level));
    }
    std::printf("    {\"level\": %d, \"register_tile\": \"%dx%d\", \"gflops\": %.1f, \"of_fma_peak\": %.3f}",
                level, table.tileRows, table.panelColumns, median(rates), median(shares));
}

// Operands of one shape, and calls on them.
class Shape {
public:
    Shape(fv_dtype dtype, int64_t heads, int64_t tokens, int64_t d, int causal, Pool& pool) : m_pool(pool) {
        std::mt19937 random(1);
        std::normal_distribution<float> normal;
        const int64_t elements = heads * tokens * d, bytes = dtype == FV_F32 ? 4 : 2;
        for (std::vector<char>& memory : m_operands) {
            memory.resize(static_cast<size_t>(elements * bytes));
            for (int64_t i = 0; i < elements; ++i) {
                const float value = normal(random);
                const uint16_t half = dtype == FV_F16 ? toHalf(value) : toBfloat(value);
                std::memcpy(&memory[static_cast<size_t>(i * bytes)],
                            dtype == FV_F32 ? static_cast<const void*>(&value) : &half,
                            static_cast<size_t>(bytes));
            }
        }
        problem.struct_size = sizeof problem;
        problem.dtype = dtype;
        problem.batch = 1;
        problem.q_heads = problem.kv_heads = heads;
        problem.tq = problem.tk = tokens;
        problem.d = d;
        problem.query = {m_operands[0].data(), 0, tokens * d, d};
        problem.key = {m_operands[1].data(), 0, tokens * d, d};
        problem.value = {m_operands[2].data(), 0, tokens * d, d};
        problem.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(d)));
        problem.causal = causal;
        problem.window_left = problem.window_right = -1;
        m_out.resize(static_cast<size_t>(elements * 4));
        m_lse.resize(static_cast<size_t>(heads * tokens));
        m_rows.resize(static_cast<size_t>(heads * tokens * 8));
        m_pooled.resize(static_cast<size_t>(heads * ((tokens + 63) / 64) * ((tokens + 63) / 64)));
    }

    fv_exec exec(int level, int threads) {
        fv_exec result{};
        result.struct_size = sizeof result;
        result.cpu_level = level;
        result.threads = threads;
        if (threads > 1) result.parallel_for = Pool::run;
        result.parallel_context = &m_pool;
        return result;
    }

    template <class Request>
    double time(fv_status (*size)(const fv_problem*, const Request*, const fv_exec*, size_t*),
                fv_status (*run)(const fv_problem*, const Request*, const fv_exec*, void*, size_t),
                const fv_problem& p, const Request& request, const fv_exec& how) {
        size_t bytes = 0;
        if (size(&p, &request, &how, &bytes) != FV_OK) fail("a workspace was refused");
        if (m_workspace.size() < bytes + 64) m_workspace.resize(bytes + 64);
        void* start = m_workspace.data();
        size_t room = m_workspace.size();
        std::align(64, bytes, start, room);
        workspaceBytes = bytes;
        fv_status status = FV_OK;
        const double result = seconds([&] { status = run(&p, &request, &how, start, bytes); });
        if (status != FV_OK) fail(fv_status_text(status));
        return result;
    }

    double forward(const fv_exec& how, bool statistics) {
        fv_forward_request request{};
        request.struct_size = sizeof request;
        request.out = {m_out.data(), 0, problem.tq * problem.d};
        request.out_stride_t = problem.d;
        request.lse = {m_lse.data(), 0, problem.tq};
        if (statistics) request.row_max = row(0), request.row_entropy = row(1);
        return time<fv_forward_request>(fv_forward_workspace, fv_forward_run, problem, request, how);
    }

    // The pass of the targets: column sum and max, row max, sum and entropy, pooled mean of 64 x 64; lse is
    // given.
    double stats(const fv_exec& how) {
        fv_problem p = problem;
        p.lse = m_lse.data();
        p.lse_stride_h = p.tq;
        p.lse_stride_t = 1;
        fv_stats_request request{};
        request.struct_size = sizeof request;
        request.row_max = row(0);
        request.row_entropy = row(1);
        request.row_sum = row(2);
        request.col_sum = row(3);
        request.col_max = row(4);
        request.pooled_mean = {m_pooled.data(), 0, static_cast<int64_t>(m_pooled.size()) / p.q_heads};
        request.block = 64;
        return time<fv_stats_request>(fv_stats_workspace, fv_stats_run, p, request, how);
    }

    double tile(const fv_exec& how, int64_t cells) {
        fv_problem p = problem;
        p.lse = m_lse.data();
        p.lse_stride_h = p.tq;
        p.lse_stride_t = 1;
        const int64_t begin = p.tq / 3;
        const fv_tile_request request{
            sizeof request, begin,         begin + cells,           begin, begin + cells, 256, 256,
            FV_TILE_MEAN,   FV_HEADS_NONE, {m_out.data(), 0, 65536}};
        return time<fv_tile_request>(fv_tile_workspace, fv_tile_run, p, request, how);
    }

    fv_problem problem{};
    size_t workspaceBytes = 0;

private:
    [[noreturn]] static void fail(const char* why) {
        std::fprintf(stderr, "kernels_bench: %s\n", why);
        std::exit(1);
    }
    fv_output row(int index) { return {m_rows.data() + index * problem.q_heads * problem.tq, 0, problem.tq}; }

    Pool& m_pool;
    std::vector<char> m_operands[3], m_out, m_workspace;
    std::vector<float> m_lse, m_rows, m_pooled;
};

struct Row {
    fv_dtype dtype;
    int64_t heads, tokens, d;
    int causal, threads, level;
};

void benchShape(const Row& row, Pool& pool, const Options& options) {
    Shape shape(row.dtype, row.heads, row.tokens, row.d, row.causal, pool);
    const fv_exec how = shape.exec(row.level, row.threads);
    std::vector<double> forward, rows, stats, rowRatio, statsRatio;
    for (int round = -2; round < options.rounds; ++round) {
        const double f = shape.forward(how, false), r = shape.forward(how, true), s = shape.stats(how);
        if (round < 0) continue;
        forward.push_back(f);
        rows.push_back(r);
        stats.push_back(s);
        rowRatio.push_back(r / f);
        statsRatio.push_back(s / f);
    }
    const double cells = static_cast<double>(row.heads * row.tokens * row.tokens) * (row.causal ? 0.5 : 1.0);
    const char* types[] = {"f32", "f16", "bf16"};
    std::printf(
        "    {\"dtype\": \"%s\", \"heads\": %lld, \"tokens\": %lld, \"d\": %lld, \"causal\": %d, "
        "\"threads\": %d, "
        "\"level\": %d, \"forward_ms\": %.3f, \"forward_gflops\": %.1f, \"with_row_stats\": %.3f, "
        "\"stats_ms\": %.3f, "
        "\"stats_gflops\": %.1f, \"stats_of_forward\": %.3f, \"stats_workspace_bytes\": %zu}",
        types[row.dtype], static_cast<long long>(row.heads), static_cast<long long>(row.tokens),
        static_cast<long long>(row.d), row.causal, row.threads, row.level, 1e3 * median(forward),
        4 * cells * static_cast<double>(row.d) / median(forward) / 1e9, median(rowRatio), 1e3 * median(stats),
        2 * cells * static_cast<double>(row.d) / median(stats) / 1e9, median(statsRatio),
        shape.workspaceBytes);
}

void benchZoom(Pool& pool, const Options& options) {
    Shape shape(FV_F32, 1, options.quick ? 4096 : 32768, 128, 1, pool);
    const fv_exec how = shape.exec(FV_LEVEL_BEST, options.threads);
    shape.forward(how, false);
    bool first = true;
    for (int64_t cells : {64, 256, 1024}) {
        std::vector<double> times;
        for (int round = -2; round < options.rounds; ++round) {
            const double time = shape.tile(how, cells);
            if (round >= 0) times.push_back(time);
        }
        std::printf(
            "%s\n    {\"tokens\": %lld, \"d\": 128, \"cells\": \"%lldx%lld\", \"pixels\": \"256x256\", "
            "\"ms\": %.3f}",
            first ? "" : ",", static_cast<long long>(shape.problem.tq), static_cast<long long>(cells),
            static_cast<long long>(cells), 1e3 * median(times));
        first = false;
    }
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        if (!std::strcmp(argv[i], "--quick")) options.quick = true;
        if (!std::strcmp(argv[i], "--rounds") && i + 1 < argc) options.rounds = std::atoi(argv[++i]);
        if (!std::strcmp(argv[i], "--threads") && i + 1 < argc) options.threads = std::atoi(argv[++i]);
    }
    const int best = fv_cpu_level();
    std::printf("{\n  \"best_level\": %d,\n  \"rounds\": %d,\n  \"register_tiles\": [\n", best,
                options.rounds);
    for (int level = FV_LEVEL_AVX2; level <= std::min<int>(best, FV_LEVEL_AVX512); ++level) {
        if (level > FV_LEVEL_AVX2) std::printf(",\n");
        benchTile(options, level);
    }
    std::printf("\n  ],\n  \"shapes\": [\n");
    std::vector<Row> rows;
    const int many = options.threads;
    for (int64_t tokens :
         options.quick ? std::vector<int64_t>{1152} : std::vector<int64_t>{1152, 2304, 4608}) {
        for (int64_t d : {64, 128}) {
            for (int threads : {1, many}) rows.push_back({FV_F32, 1, tokens, d, 0, threads, FV_LEVEL_BEST});
        }
    }
    const int64_t longest = options.quick ? 1152 : 4608;
    rows.push_back({FV_F32, 1, longest, 64, 1, many, FV_LEVEL_BEST});
    rows.push_back({FV_F32, 12, 197, 64, 0, many, FV_LEVEL_BEST});
    rows.push_back({FV_BF16, 1, longest, 64, 0, 1, FV_LEVEL_BEST});
    rows.push_back({FV_BF16, 1, longest, 128, 0, 1, FV_LEVEL_BEST});
    rows.push_back({FV_F16, 1, longest, 128, 0, 1, FV_LEVEL_BEST});
    if (best >= FV_LEVEL_AVX512) rows.push_back({FV_F32, 1, longest, 64, 0, 1, FV_LEVEL_AVX2});
    rows.push_back({FV_F32, 1, 1152, 64, 0, 1, FV_LEVEL_SCALAR});
    Pool pool(many);
    for (size_t i = 0; i < rows.size(); ++i) {
        if (i > 0) std::printf(",\n");
        benchShape(rows[i], pool, options);
        std::fflush(stdout);
    }
    std::printf("\n  ],\n  \"tiles\": [");
    benchZoom(pool, options);
    std::printf("\n  ]\n}\n");
    return 0;
}
