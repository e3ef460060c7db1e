// Barriers in shared memory that threads pass without meeting: arrivals are counted, and waiting is for a
// phase.
#pragma once

#include <stdint.h>

namespace fovea::kernels::cuda {

__device__ __forceinline__ void barrierInit(uint32_t barrier, int arrivals) {
    asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals));
}

__device__ __forceinline__ void barrierArrive(uint32_t barrier) {
    asm volatile("{\n.reg .b64 state;\nmbarrier.arrive.shared.b64 state, [%0];\n}\n" ::"r"(barrier)
                 : "memory");
}

/// Arrives once the asynchronous copies that this thread has started are there.
__device__ __forceinline__ void barrierArriveAfterCopies(uint32_t barrier) {
    asm volatile("cp.async.mbarrier.arrive.noinc.shared.b64 [%0];" ::"r"(barrier) : "memory");
}

/// Waits for the phase of the given parity to end.
__device__ __forceinline__ void barrierWait(uint32_t barrier, int parity) {
    asm volatile(
        "{\n.reg .pred done;\n"
        "AGAIN_%=:\nmbarrier.try_wait.parity.shared.b64 done, [%0], %1;\n"
        "@!done bra AGAIN_%=;\n}\n" ::"r"(barrier),
        "r"(parity)
        : "memory");
}

}  // namespace fovea::kernels::cuda
