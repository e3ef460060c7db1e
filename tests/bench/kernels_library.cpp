// The kernels as a shared library for kernels_compare.py, on the threads of the OpenMP that the process has already
// (PyTorch's): the same team runs both, as in the program.
#include "fovea/kernels/statistics.h"

#if defined(_WIN32)
#define FOVEA_EXPORT extern "C" __declspec(dllexport)
#else
#define FOVEA_EXPORT extern "C" __attribute__((visibility("default")))
#endif

/// fv_exec::parallel_for over an OpenMP team.
FOVEA_EXPORT void fovea_bench_parallel_for(void*, int64_t parts, void (*body)(void*, int64_t), void* argument) {
#pragma omp parallel for schedule(static, 1)
    for (int64_t part = 0; part < parts; ++part) body(argument, part);
}
