// AVX-512: 16 lanes, 8 lines x 3 vectors in registers. Included only by translation units compiled for
// AVX-512.
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
    static F loadPart(const float* p, int n) {
        return _mm512_maskz_loadu_ps(static_cast<M>((1u << n) - 1), p);
    }
    static void store(float* p, F x) { _mm512_storeu_ps(p, x); }
    static void storeRows(float* p, F x) { _mm256_storeu_ps(p, _mm512_castps512_ps256(x)); }
    static void transpose(F (&x)[16]) {
        F y[16];
        for (int i = 0; i < 16; i += 4) {
            const __m512d a = pd(_mm512_unpacklo_ps(x[i], x[i + 1])),
                          b = pd(_mm512_unpackhi_ps(x[i], x[i + 1]));
            const __m512d c = pd(_mm512_unpacklo_ps(x[i + 2], x[i + 3])),
                          d = pd(_mm512_unpackhi_ps(x[i + 2], x[i + 3]));
            y[i] = ps(_mm512_unpacklo_pd(a, c));
            y[i + 1] = ps(_mm512_unpackhi_pd(a, c));
            y[i + 2] = ps(_mm512_unpacklo_pd(b, d));
            y[i + 3] = ps(_mm512_unpackhi_pd(b, d));
        }
        // y[4 g + c] holds columns c, c + 4, c + 8 and c + 12 of the rows 4 g to 4 g + 3.
        for (int c = 0; c < 4; ++c) {
            const F a = _mm512_shuffle_f32x4(y[c], y[c + 4], 0x88),
                    b = _mm512_shuffle_f32x4(y[c], y[c + 4], 0xdd);
            const F d = _mm512_shuffle_f32x4(y[c + 8], y[c + 12], 0x88),
                    e = _mm512_shuffle_f32x4(y[c + 8], y[c + 12], 0xdd);
            x[c] = _mm512_shuffle_f32x4(a, d, 0x88);
            x[c + 8] = _mm512_shuffle_f32x4(a, d, 0xdd);
            x[c + 4] = _mm512_shuffle_f32x4(b, e, 0x88);
            x[c + 12] = _mm512_shuffle_f32x4(b, e, 0xdd);
        }
    }
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

private:
    static __m512d pd(F x) { return _mm512_castps_pd(x); }
    static F ps(__m512d x) { return _mm512_castpd_ps(x); }
};

}  // namespace
}  // namespace fovea::kernels::cpu
