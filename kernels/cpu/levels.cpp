#include "cpu/level.h"

#ifdef FOVEA_CPU_X86
#include <cpuid.h>
#endif

namespace fovea::kernels::cpu {

namespace {

// FOVEA_CPU_X86 is defined where the build compiles the vector levels.
#ifdef FOVEA_CPU_X86
// Half precision has no name of its own in every compiler's list of features: bit 29 of the third word.
bool hasF16c() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) && (c >> 29 & 1);
}

bool hasAvx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && hasF16c();
}

bool hasAvx512() {
    return hasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool hasAvx512Bf16() {
    return hasAvx512() && __builtin_cpu_supports("avx512bf16");
}

const Level* table(int level) {
    if (level == FV_LEVEL_AVX512_BF16) return avx512Bf16Level();
    if (level == FV_LEVEL_AVX512) return avx512Level();
    if (level == FV_LEVEL_AVX2) return avx2Level();
    return scalarLevel();
}
#else
bool hasAvx2() {
    return false;
}
bool hasAvx512() {
    return false;
}
bool hasAvx512Bf16() {
    return false;
}
const Level* table(int) {
    return scalarLevel();
}
#endif

}  // namespace

const Level& levelOf(int level) {
    return *table(level == FV_LEVEL_BEST ? fv_cpu_level() : level);
}

}  // namespace fovea::kernels::cpu

int fv_cpu_level(void) {
    using namespace fovea::kernels::cpu;
    if (hasAvx512Bf16()) return FV_LEVEL_AVX512_BF16;
    if (hasAvx512()) return FV_LEVEL_AVX512;
    return hasAvx2() ? FV_LEVEL_AVX2 : FV_LEVEL_SCALAR;
}
