#include "nn/activation.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tanh.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <utility>
#include <vector>

#include "io/hf_config.h"

namespace fovea {
namespace {

constexpr std::array<std::pair<std::string_view, Activation>, 14> kNames{{
    {"gelu", Activation::Gelu},
    {"gelu_python", Activation::Gelu},
    {"gelu_new", Activation::GeluTanh},
    {"gelu_fast", Activation::GeluTanh},
    {"gelu_pytorch_tanh", Activation::GeluTanh},
    {"gelu_python_tanh", Activation::GeluTanh},
    {"quick_gelu", Activation::QuickGelu},
    {"silu", Activation::Silu},
    {"swish", Activation::Silu},
    {"relu", Activation::Relu},
    {"tanh", Activation::Tanh},
    {"sigmoid", Activation::Sigmoid},
    {"linear", Activation::Identity},
    {"identity", Activation::Identity},
}};

}  // namespace

Activation readActivation(const ConfigView& config, std::string_view key, const std::string& fallback) {
    const std::string name = config.text(key, fallback);
    for (const auto& [known, activation] : kNames)
        if (known == name) return activation;
    std::vector<std::string_view> known;
    for (const auto& [word, activation] : kNames) known.push_back(word);
    config.fail(key, fmt::format("one of {}", fmt::join(known, ", ")), fmt::format("\"{:.60}\"", name));
}

at::Tensor activate(Activation activation, const at::Tensor& x) {
    switch (activation) {
        case Activation::Gelu:
            return at::gelu(x, "none");
        case Activation::GeluTanh:
            return at::gelu(x, "tanh");
        case Activation::QuickGelu:
            return at::mul(x, at::sigmoid(at::mul(x, 1.702)));
        case Activation::Silu:
            return at::silu(x);
        case Activation::Relu:
            return at::relu(x);
        case Activation::Tanh:
            return at::tanh(x);
        case Activation::Sigmoid:
            return at::sigmoid(x);
        case Activation::Identity:
            break;
    }
    return x;
}

}  // namespace fovea
