// The warpgroup matrix instructions of sm_90a.
#pragma once

#include "cuda/device/primitives.cuh"

namespace fovea::kernels::cuda {

/// Describes a tile of rows of 128 bytes in shared memory, 128-byte swizzled, 1024-byte aligned: the lower
/// word. The upper word is the same for all: eight rows are 1024 bytes, and the kind of swizzle.
__device__ __forceinline__ uint32_t describeTile(uint32_t address) {
    return ((address & 0x3FFFF) >> 4) | (1u << 16);
}

/// Byte offset of a 16-byte chunk in such a tile.
__device__ __forceinline__ uint32_t swizzled(int row, int chunk) {
    return row * 128 + ((chunk ^ (row & 7)) << 4);
}

__device__ __forceinline__ void warpgroupArrive() {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void warpgroupCommit() {
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int Pending>
__device__ __forceinline__ void warpgroupWait() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
}
/// Makes shared memory written by ordinary stores visible to the matrix unit.
__device__ __forceinline__ void fenceForMatrixUnit() {
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/// Keeps the compiler from touching accumulators while the matrix unit owns them.
template <int N>
__device__ __forceinline__ void holdAccumulators(float (&d)[N][4]) {
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) asm volatile("" : "+f"(d[n][i])::"memory");
}

#define FOVEA_MULTIPLY(types)                                                                              \
    asm volatile(                                                                                          \
        "{\n.reg .pred p;\n.reg .b64 a, b;\nsetp.ne.b32 p, %34, 0;\nmov.b64 a, {%32, 0x40000040};\n"       \
        "mov.b64 b, {%33, 0x40000040};\n"                                                                  \
        "wgmma.mma_async.sync.aligned.m64n64k16.f32." types " {"                                           \
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                           \
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"                   \
        "}, a, b, p, 1, 1, 0, 0;\n}\n"                                                                     \
        : "+f"(d[0][0]), "+f"(d[0][1]), "+f"(d[0][2]), "+f"(d[0][3]), "+f"(d[1][0]), "+f"(d[1][1]),        \
          "+f"(d[1][2]), "+f"(d[1][3]), "+f"(d[2][0]), "+f"(d[2][1]), "+f"(d[2][2]), "+f"(d[2][3]),        \
          "+f"(d[3][0]), "+f"(d[3][1]), "+f"(d[3][2]), "+f"(d[3][3]), "+f"(d[4][0]), "+f"(d[4][1]),        \
          "+f"(d[4][2]), "+f"(d[4][3]), "+f"(d[5][0]), "+f"(d[5][1]), "+f"(d[5][2]), "+f"(d[5][3]),        \
          "+f"(d[6][0]), "+f"(d[6][1]), "+f"(d[6][2]), "+f"(d[6][3]), "+f"(d[7][0]), "+f"(d[7][1]),        \
          "+f"(d[7][2]), "+f"(d[7][3])                                                                     \
        : "r"(a), "r"(b), "r"(add))

/// d (+)= a b^T, a and b [64, 16] in shared memory with the 16 contiguous; `add` 0 starts afresh.
template <class Element>
__device__ __forceinline__ void warpgroupMultiply(float (&d)[8][4], uint32_t a, uint32_t b, int add) {
    if constexpr (std::is_same_v<Element, Bfloat>)
        FOVEA_MULTIPLY("bf16.bf16");
    else
        FOVEA_MULTIPLY("f16.f16");
}

#undef FOVEA_MULTIPLY

}  // namespace fovea::kernels::cuda
