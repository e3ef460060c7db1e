#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace fovea {

class ConfigView;

/// Pointwise non-linearities under the names that configurations use.
enum class Activation { Gelu, GeluTanh, QuickGelu, Silu, Relu, Tanh, Sigmoid, Identity };

/// Reads an activation ("gelu", "gelu_pytorch_tanh", "quick_gelu", "silu", ...); throws Error (Input) naming
/// file and key.
Activation readActivation(const ConfigView& config, std::string_view key, const std::string& fallback);

/// Applies it to every element; never in place.
at::Tensor activate(Activation activation, const at::Tensor& x);

}  // namespace fovea
