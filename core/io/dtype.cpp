#include "io/dtype.h"

#include <array>
#include <cmath>
#include <limits>

#include "fovea/error.h"

namespace fovea {
namespace {

struct Row {
    Dtype dtype;
    std::int64_t size;
    std::string_view file;
    std::string_view display;
};

constexpr std::array<Row, 19> kRows{{
    {Dtype::Bool, 1, "BOOL", "bool"},
    {Dtype::U8, 1, "U8", "uint8"},
    {Dtype::I8, 1, "I8", "int8"},
    {Dtype::I16, 2, "I16", "int16"},
    {Dtype::U16, 2, "U16", "uint16"},
    {Dtype::I32, 4, "I32", "int32"},
    {Dtype::U32, 4, "U32", "uint32"},
    {Dtype::I64, 8, "I64", "int64"},
    {Dtype::U64, 8, "U64", "uint64"},
    {Dtype::F16, 2, "F16", "float16"},
    {Dtype::BF16, 2, "BF16", "bfloat16"},
    {Dtype::F32, 4, "F32", "float32"},
    {Dtype::F64, 8, "F64", "float64"},
    {Dtype::C64, 8, "C64", "complex64"},
    {Dtype::F8E4M3, 1, "F8_E4M3", "float8_e4m3fn"},
    {Dtype::F8E5M2, 1, "F8_E5M2", "float8_e5m2"},
    {Dtype::F8E8M0, 1, "F8_E8M0", "float8_e8m0fnu"},
    {Dtype::F8E4M3Fnuz, 1, "F8_E4M3FNUZ", "float8_e4m3fnuz"},
    {Dtype::F8E5M2Fnuz, 1, "F8_E5M2FNUZ", "float8_e5m2fnuz"},
}};

const Row& row(Dtype dtype) {
    return kRows[static_cast<std::size_t>(dtype)];
}

struct Float8Layout {
    int mantissaBits;
    int bias;
};

}  // namespace

std::int64_t itemSize(Dtype dtype) {
    return row(dtype).size;
}
std::string_view safetensorsName(Dtype dtype) {
    return row(dtype).file;
}
std::string_view displayName(Dtype dtype) {
    return row(dtype).display;
}

std::optional<Dtype> dtypeFromSafetensorsName(std::string_view name) {
    for (const Row& r : kRows)
        if (r.file == name) return r.dtype;
    return std::nullopt;
}

bool isFloating(Dtype dtype) {
    return static_cast<int>(dtype) >= static_cast<int>(Dtype::F16);
}

float decodeFloat8(Dtype dtype, std::uint8_t bits) {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    if (dtype == Dtype::F8E8M0) return bits == 0xFF ? nan : std::ldexp(1.0F, static_cast<int>(bits) - 127);

    const bool fnuz = dtype == Dtype::F8E4M3Fnuz || dtype == Dtype::F8E5M2Fnuz;
    Float8Layout layout{};
    switch (dtype) {
        case Dtype::F8E4M3:
            layout = {3, 7};
            break;
        case Dtype::F8E5M2:
            layout = {2, 15};
            break;
        case Dtype::F8E4M3Fnuz:
            layout = {3, 8};
            break;
        case Dtype::F8E5M2Fnuz:
            layout = {2, 16};
            break;
        default:
            throw Error("decodeFloat8: " + std::string(displayName(dtype)) + " is not an 8-bit float", {},
                        ErrorCode::Internal);
    }
    const int magnitude = bits & 0x7F;
    const float sign = (bits & 0x80) != 0 ? -1.0F : 1.0F;
    if (fnuz && bits == 0x80) return nan;
    if (dtype == Dtype::F8E4M3 && magnitude == 0x7F) return nan;
    if (dtype == Dtype::F8E5M2 && magnitude >= 0x7C)
        return magnitude == 0x7C ? sign * std::numeric_limits<float>::infinity() : nan;

    const int exponent = magnitude >> layout.mantissaBits;
    const int mantissa = magnitude & ((1 << layout.mantissaBits) - 1);
    const int significand = exponent == 0 ? mantissa : mantissa + (1 << layout.mantissaBits);
    const int power = (exponent == 0 ? 1 : exponent) - layout.bias - layout.mantissaBits;
    return sign * std::ldexp(static_cast<float>(significand), power);
}

}  // namespace fovea
