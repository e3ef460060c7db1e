// AVX-512: 16 lanes, 8 lines x 3 vectors in registers. Included only by translation units compiled for AVX-512.
#pragma once

#include <immintrin.h>

#include "cpu/level.h"

namespace fovea::kernels::cpu {
namespace {

struct Avx512 {
    using F = __m512;
    using M = __mmask16;
    static constexpr int kWidth = 16, kRows = 8, kVectors = 3;

    static F set(float x) { return _mm512_set1_ps(x); }
    static F load(const float* p) { return _mm512_loadu_ps(p); }
    static F loadPart(const float* p, int n) { return _mm512_maskz_loadu_ps(static_cast<M>((1u << n) - 1), p); }
    static void store(float* p, F x) { _mm512_storeu_ps(p, x); }
    static F add(F a, F b) { return _mm512_add_ps(a, b); }
    static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
    static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
    static F div(F a, F b) { return _mm512_div_ps(a, b); }
    static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
    static F shift(F a, F b, F c) { return _mm512_fmsub_ps(a, b, c); }
    static F max(F a, F b) { return _mm512_max_ps(a, b); }
    static F min(F a, F b) { return _mm512_min_ps(a, b); }
    static M greater(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
    static F select(M m, F yes, F no) { return _mm512_mask_blend_ps(m, no, yes); }
    static unsigned bits(M m) { return m; }
    static F round(F x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
    // poly * 2^n, and 0 where x is below the normal range.
    static F timesPower(F poly, F n, F x) {
        return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(-126), _CMP_NLT_UQ), poly, n);
    }
    static float sumLanes(F x) { return _mm512_reduce_add_ps(x); }
    static float largestLane(F x) { return _mm512_reduce_max_ps(x); }
    static F widen(const void* p, fv_dtype dtype) {
        if (dtype == FV_F32) return _mm512_loadu_ps(p);
        const __m256i half = _mm256_loadu_si256(static_cast<const __m256i*>(p));
        if (dtype == FV_F16) return _mm512_cvtph_ps(half);
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
    }
};

}  // namespace
}  // namespace fovea::kernels::cpu
