#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "io/dtype.h"

namespace fovea {

/// IEEE 754 binary16 and bfloat16, exact to float and rounded to nearest even from it.
float halfToFloat(std::uint16_t bits);
std::uint16_t floatToHalf(float value);
inline float bfloat16ToFloat(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
std::uint16_t floatToBfloat16(float value);

/// Reads values.size() elements of any real element type, little-endian, as floats (integers and doubles are
/// rounded); bytes must hold them. Throws Error (Input) for complex numbers, naming source.
void toFloats(Dtype dtype, std::span<const std::byte> bytes, std::span<float> values,
              const std::string& source);

}  // namespace fovea
