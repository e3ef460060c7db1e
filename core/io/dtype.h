#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fovea {

/// Element types that weight and trace files may hold; independent of torch.
enum class Dtype {
    Bool, U8, I8, I16, U16, I32, U32, I64, U64, F16, BF16, F32, F64, C64,
    F8E4M3, F8E5M2, F8E8M0, F8E4M3Fnuz, F8E5M2Fnuz,
};

/// Bytes of one element.
std::int64_t itemSize(Dtype dtype);
/// The name a safetensors header uses: "F32", "BF16", "F8_E4M3", ...
std::string_view safetensorsName(Dtype dtype);
/// The usual lower-case name, as in config.json: "float32", "bfloat16", ...
std::string_view displayName(Dtype dtype);
/// The reverse of safetensorsName; empty for names that Fovea does not read (sub-byte types included).
std::optional<Dtype> dtypeFromSafetensorsName(std::string_view name);
/// True for types whose values are real or complex numbers rather than integers or booleans.
bool isFloating(Dtype dtype);
/// The value of one 8-bit float; dtype must be one of the F8 types (OCP MX 1.0; "Fnuz": one zero, no
/// infinities).
float decodeFloat8(Dtype dtype, std::uint8_t bits);

}  // namespace fovea
