// AVX2 with FMA and F16C: 8 lanes, 4 lines x 3 vectors in registers. Included only by a unit compiled for
// them.
#pragma once

#include <immintrin.h>

#include "cpu/level.h"

namespace fovea::kernels::cpu {
namespace {

struct Avx2 {
    using F = __m256;
    using M = __m256;
    static constexpr int kWidth = 8, kRows = 4, kVectors = 3;

    static F set(float x) { return _mm256_set1_ps(x); }
    static F load(const float* p) { return _mm256_loadu_ps(p); }
    static F loadPart(const float* p, int n) {
        const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane));
    }
    static void store(float* p, F x) { _mm256_storeu_ps(p, x); }
    static void storeRows(float* p, F x) { _mm_storeu_ps(p, _mm256_castps256_ps128(x)); }
    static void transpose(F (&x)[8]) {
        F y[8];
        for (int i = 0; i < 8; i += 4) {
            const F a = _mm256_unpacklo_ps(x[i], x[i + 1]), b = _mm256_unpackhi_ps(x[i], x[i + 1]);
            const F c = _mm256_unpacklo_ps(x[i + 2], x[i + 3]), d = _mm256_unpackhi_ps(x[i + 2], x[i + 3]);
            y[i] = _mm256_shuffle_ps(a, c, 0x44);
            y[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
            y[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
            y[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
        }
        for (int c = 0; c < 4; ++c) {
            x[c] = _mm256_permute2f128_ps(y[c], y[c + 4], 0x20);
            x[c + 4] = _mm256_permute2f128_ps(y[c], y[c + 4], 0x31);
        }
    }
    static F add(F a, F b) { return _mm256_add_ps(a, b); }
    static F sub(F a, F b) { return _mm256_sub_ps(a, b); }
    static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
    static F div(F a, F b) { return _mm256_div_ps(a, b); }
    static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
    static F shift(F a, F b, F c) { return _mm256_fmsub_ps(a, b, c); }
    static F max(F a, F b) { return _mm256_max_ps(a, b); }
    static F min(F a, F b) { return _mm256_min_ps(a, b); }
    static M greater(F a, F b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
    static F select(M m, F yes, F no) { return _mm256_blendv_ps(no, yes, m); }
    static unsigned bits(M m) { return static_cast<unsigned>(_mm256_movemask_ps(m)); }
    static F round(F x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
    // poly * 2^n as twice poly * 2^(n - 1), for n reaches 128; 0 where that is below the normal range.
    static F timesPower(F poly, F n, F x) {
        const __m256i whole = _mm256_cvtps_epi32(_mm256_min_ps(n, _mm256_set1_ps(128)));
        const __m256i bits = _mm256_slli_epi32(_mm256_add_epi32(whole, _mm256_set1_epi32(126)), 23);
        const F half = _mm256_mul_ps(poly, _mm256_castsi256_ps(bits));
        return _mm256_and_ps(_mm256_add_ps(half, half), _mm256_cmp_ps(x, _mm256_set1_ps(-126), _CMP_NLT_UQ));
    }
    static float sumLanes(F x) {
        __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
        s = _mm_add_ps(s, _mm_movehl_ps(s, s));
        return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
    }
    static float largestLane(F x) {
        __m128 s = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
        s = _mm_max_ps(s, _mm_movehl_ps(s, s));
        return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
    }
    static F widen(const void* p, fv_dtype dtype) {
        if (dtype == FV_F32) return _mm256_loadu_ps(static_cast<const float*>(p));
        const __m128i half = _mm_loadu_si128(static_cast<const __m128i*>(p));
        if (dtype == FV_F16) return _mm256_cvtph_ps(half);
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
    }
};

}  // namespace
}  // namespace fovea::kernels::cpu
