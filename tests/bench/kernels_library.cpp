// The kernels as a shared library for kernels_compare.py, with threads of their own to run on.
#include <atomic>
#include <thread>
#include <vector>

#include "fovea/kernels/statistics.h"

#if defined(_WIN32)
#define FOVEA_EXPORT extern "C" __declspec(dllexport)
#else
#define FOVEA_EXPORT extern "C" __attribute__((visibility("default")))
#endif

namespace {

using Body = void (*)(void*, int64_t);

// Threads that sleep until the next round of parts.
struct Pool {
    explicit Pool(int count) {
        for (int i = 1; i < count; ++i) {
            threads.emplace_back([this] {
                for (int64_t seen = 0;;) {
                    round.wait(seen);
                    seen = round;
                    take();
                    --busy;
                }
            });
            threads.back().detach();
        }
    }
    void take() {
        for (int64_t part = next++; part < parts; part = next++) body(argument, part);
    }

    std::vector<std::thread> threads;
    std::atomic<int64_t> round{0}, next{0};
    std::atomic<int> busy{0};
    Body body = nullptr;
    void* argument = nullptr;
    int64_t parts = 0;
};

}  // namespace

/// A pool of `threads` threads that lives until the process ends.
FOVEA_EXPORT void* fovea_bench_pool(int threads) { return new Pool(threads); }

/// fv_exec::parallel_for over a pool.
FOVEA_EXPORT void fovea_bench_parallel_for(void* context, int64_t parts, Body body, void* argument) {
    Pool& pool = *static_cast<Pool*>(context);
    pool.body = body;
    pool.argument = argument;
    pool.parts = parts;
    pool.next = 0;
    pool.busy = static_cast<int>(pool.threads.size());
    ++pool.round;
    pool.round.notify_all();
    pool.take();
    while (pool.busy) std::this_thread::yield();
}
