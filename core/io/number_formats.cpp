#include "io/number_formats.h"

#include <cmath>
#include <cstring>

#include "fovea/error.h"

namespace fovea {
namespace {

template <typename Stored, typename Convert>
void convertAll(std::span<const std::byte> bytes, std::span<float> values, Convert convert) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        Stored stored;
        std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
        values[i] = convert(stored);
    }
}

template <typename Stored>
void castAll(std::span<const std::byte> bytes, std::span<float> values) {
    convertAll<Stored>(bytes, values, [](Stored value) { return static_cast<float>(value); });
}

}  // namespace

float halfToFloat(std::uint16_t bits) {
    const std::uint32_t sign = (bits & 0x8000U) << 16;
    const std::uint32_t exponent = bits >> 10 & 0x1FU;
    const std::uint32_t mantissa = bits & 0x3FFU;
    if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000U | mantissa << 13);
    if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -magnitude : magnitude;
}

std::uint16_t floatToHalf(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000U);
    const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
    if (magnitude > 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7E00U);
    if (magnitude >= 0x477FF000U) return static_cast<std::uint16_t>(sign | 0x7C00U);
    if (magnitude < 0x38800000U) {  // below the smallest normal half: a multiple of 2^-24
        const float scaled = std::bit_cast<float>(magnitude) * 16777216.0F;
        return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(std::nearbyint(scaled)));
    }
    const std::uint32_t rounded = magnitude + 0xFFFU + (magnitude >> 13 & 1U);
    return static_cast<std::uint16_t>(sign | (rounded - 0x38000000U) >> 13);
}

std::uint16_t floatToBfloat16(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>(bits >> 16 | 0x40U);
    return static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

void toFloats(Dtype dtype, std::span<const std::byte> bytes, std::span<float> values,
              const std::string& source) {
    if (bytes.size() < values.size() * static_cast<std::size_t>(itemSize(dtype)))
        throw Error(source + ": expected more bytes than there are", {}, ErrorCode::Internal);
    switch (dtype) {
        case Dtype::F32:
            return castAll<float>(bytes, values);
        case Dtype::F64:
            return castAll<double>(bytes, values);
        case Dtype::F16:
            return convertAll<std::uint16_t>(bytes, values, halfToFloat);
        case Dtype::BF16:
            return convertAll<std::uint16_t>(bytes, values, bfloat16ToFloat);
        case Dtype::Bool:
            return convertAll<std::uint8_t>(bytes, values,
                                            [](std::uint8_t v) { return v != 0 ? 1.0F : 0.0F; });
        case Dtype::U8:
            return castAll<std::uint8_t>(bytes, values);
        case Dtype::I8:
            return castAll<std::int8_t>(bytes, values);
        case Dtype::I16:
            return castAll<std::int16_t>(bytes, values);
        case Dtype::U16:
            return castAll<std::uint16_t>(bytes, values);
        case Dtype::I32:
            return castAll<std::int32_t>(bytes, values);
        case Dtype::U32:
            return castAll<std::uint32_t>(bytes, values);
        case Dtype::I64:
            return castAll<std::int64_t>(bytes, values);
        case Dtype::U64:
            return castAll<std::uint64_t>(bytes, values);
        case Dtype::C64:
            throw Error(source + ": expected real numbers, found complex64",
                        "Convert the tensor to float32 first.");
        default:
            return convertAll<std::uint8_t>(bytes, values,
                                            [dtype](std::uint8_t v) { return decodeFloat8(dtype, v); });
    }
}

}  // namespace fovea
