// The two 16-bit floating point formats and fp32, by their bits; rounding is to nearest, ties to even.
#pragma once

#include <stdint.h>
#include <string.h>

namespace fovea::kernels::cpu {

inline float floatOf(uint32_t word) {
    float result;
    memcpy(&result, &word, sizeof result);
    return result;
}

inline uint32_t wordOf(float value) {
    uint32_t result;
    memcpy(&result, &value, sizeof result);
    return result;
}

inline float fromBfloat(uint16_t bits) {
    return floatOf(static_cast<uint32_t>(bits) << 16);
}

inline float fromHalf(uint16_t bits) {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16, rest = bits & 0x7fff;
    if (rest >= 0x7c00) return floatOf(sign | 0x7f800000 | (rest & 0x3ff) << 13);
    if (rest < 0x400)
        return static_cast<float>(rest) * (sign ? -5.9604644775390625e-8f : 5.9604644775390625e-8f);
    return floatOf(sign | ((rest << 13) + 0x38000000));
}

inline uint16_t toBfloat(float value) {
    const uint32_t word = wordOf(value);
    if ((word & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(word >> 16 | 0x40);
    return static_cast<uint16_t>((word + 0x7fff + (word >> 16 & 1)) >> 16);
}

inline uint16_t toHalf(float value) {
    const uint32_t word = wordOf(value), sign = word >> 16 & 0x8000, size = word & 0x7fffffff;
    if (size > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);
    if (size >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);
    if (size < 0x38800000) {
        // Below the normal range: adding 0.5 puts the last kept bit at the end of the word.
        const float moved = floatOf(size) + 0.5f;
        return static_cast<uint16_t>(sign | (wordOf(moved) - 0x3f000000));
    }
    return static_cast<uint16_t>(sign | ((size - 0x38000000 + 0xfff + (size >> 13 & 1)) >> 13));
}

}  // namespace fovea::kernels::cpu
