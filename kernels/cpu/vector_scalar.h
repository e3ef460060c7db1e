// Plain C++ on 8 lanes, for processors without AVX2; the compiler may use what the base instruction set
// offers.
#pragma once

#include <math.h>
#include <string.h>

#include "cpu/half.h"
#include "cpu/level.h"

namespace fovea::kernels::cpu {
namespace {

struct Scalar {
    static constexpr int kWidth = 8, kRows = 4, kVectors = 2;
    struct F {
        float lane[kWidth];
    };
    struct M {
        bool lane[kWidth];
    };

    template <class Result, class Function>
    static Result make(Function function) {
        Result result;
        for (int i = 0; i < kWidth; ++i) result.lane[i] = function(i);
        return result;
    }

    static F set(float x) {
        return make<F>([&](int) { return x; });
    }
    static F load(const float* p) {
        return make<F>([&](int i) { return p[i]; });
    }
    static F loadPart(const float* p, int n) {
        return make<F>([&](int i) { return i < n ? p[i] : 0; });
    }
    static void store(float* p, F x) { memcpy(p, x.lane, sizeof x.lane); }
    static void storeRows(float* p, F x) { memcpy(p, x.lane, kRows * sizeof(float)); }
    static void transpose(F (&x)[kWidth]) {
        for (int i = 0; i < kWidth; ++i) {
            for (int j = 0; j < i; ++j) {
                const float kept = x[i].lane[j];
                x[i].lane[j] = x[j].lane[i];
                x[j].lane[i] = kept;
            }
        }
    }
    static F add(F a, F b) {
        return make<F>([&](int i) { return a.lane[i] + b.lane[i]; });
    }
    static F sub(F a, F b) {
        return make<F>([&](int i) { return a.lane[i] - b.lane[i]; });
    }
    static F mul(F a, F b) {
        return make<F>([&](int i) { return a.lane[i] * b.lane[i]; });
    }
    static F div(F a, F b) {
        return make<F>([&](int i) { return a.lane[i] / b.lane[i]; });
    }
    static F fma(F a, F b, F c) {
        return make<F>([&](int i) { return a.lane[i] * b.lane[i] + c.lane[i]; });
    }
    // a * b - c with the product exact, as a fused multiply has it.
    static F shift(F a, F b, F c) {
        return make<F>([&](int i) {
            return static_cast<float>(static_cast<double>(a.lane[i]) * b.lane[i] -
                                      static_cast<double>(c.lane[i]));
        });
    }
    static F max(F a, F b) {
        return make<F>([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
    }
    static F min(F a, F b) {
        return make<F>([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
    }
    static M greater(F a, F b) {
        return make<M>([&](int i) { return a.lane[i] > b.lane[i]; });
    }
    static F select(M m, F yes, F no) {
        return make<F>([&](int i) { return m.lane[i] ? yes.lane[i] : no.lane[i]; });
    }
    static unsigned bits(M m) {
        unsigned result = 0;
        for (int i = 0; i < kWidth; ++i) result |= static_cast<unsigned>(m.lane[i]) << i;
        return result;
    }
    // Adding and taking away 1.5 * 2^23 rounds to the nearest integer.
    static F round(F x) {
        return make<F>([&](int i) { return (x.lane[i] + 12582912.0f) - 12582912.0f; });
    }
    static F timesPower(F poly, F n, F x) {
        return make<F>([&](int i) {
            if (x.lane[i] < -126) return 0.0f;
            if (!(x.lane[i] < 128)) return x.lane[i] * HUGE_VALF;  // infinity, or NaN stays NaN
            const int whole = static_cast<int>(n.lane[i]), half = whole / 2;
            return poly.lane[i] * power(half) * power(whole - half);
        });
    }
    static float sumLanes(F x) {
        return ((x.lane[0] + x.lane[4]) + (x.lane[2] + x.lane[6])) +
               ((x.lane[1] + x.lane[5]) + (x.lane[3] + x.lane[7]));
    }
    static float largestLane(F x) {
        float most = x.lane[0];
        for (int i = 1; i < kWidth; ++i) most = x.lane[i] > most ? x.lane[i] : most;
        return most;
    }
    static F widen(const void* p, fv_dtype dtype) {
        if (dtype == FV_F32) return load(static_cast<const float*>(p));
        const uint16_t* half = static_cast<const uint16_t*>(p);
        return make<F>([&](int i) { return dtype == FV_F16 ? fromHalf(half[i]) : fromBfloat(half[i]); });
    }

private:
    static float power(int exponent) {
        const uint32_t word = static_cast<uint32_t>(exponent + 127) << 23;
        float result;
        memcpy(&result, &word, sizeof result);
        return result;
    }
};

}  // namespace
}  // namespace fovea::kernels::cpu
