#include "nn/placement.h"

#include <ATen/detail/CUDAHooksInterface.h>

#include "fovea/error.h"

namespace fovea {
namespace {

int cudaDevices() {
    const auto& hooks = at::detail::getCUDAHooks();
    return hooks.hasCUDA() ? hooks.deviceCount() : 0;
}

c10::Device resolveDevice(const std::string& name) {
    if (name == "cpu") return c10::kCPU;
    const int devices = cudaDevices();
    if (name == "auto") return devices > 0 ? c10::Device(c10::kCUDA, 0) : c10::Device(c10::kCPU);
    const std::string digits = name.starts_with("cuda:") ? name.substr(5) : "0";
    const bool number =
        !digits.empty() && digits.size() <= 3 && digits.find_first_not_of("0123456789") == std::string::npos;
    if ((name != "cuda" && !name.starts_with("cuda:")) || !number)
        throw Error("--device " + name + ": expected auto, cpu, cuda or cuda:N",
                    "Give --device cpu, or leave it out to use a GPU where there is one.", ErrorCode::Usage);
    const int index = std::stoi(digits);
    if (index >= devices)
        throw Error("--device " + name + ": this machine has " +
                        (devices == 0 ? std::string("no CUDA device that LibTorch can use")
                                      : std::to_string(devices) + " CUDA devices"),
                    devices == 0 ? "Use --device cpu, or install a CUDA build of LibTorch and a driver."
                                 : "Count from 0.",
                    ErrorCode::Memory);
    return {c10::kCUDA, static_cast<c10::DeviceIndex>(index)};
}

bool cpuHasBf16() {
#if defined(__x86_64__) && defined(__GNUC__)
    return __builtin_cpu_supports("avx512bf16") != 0;
#else
    return false;
#endif
}

}  // namespace

Placement resolvePlacement(const LoadOptions& options, Dtype stored) {
    Placement placement;
    placement.device = resolveDevice(options.device);
    if (options.dtype == "float32") {
        placement.dtype = c10::kFloat;
    } else if (options.dtype == "float64") {
        placement.dtype = c10::kDouble;
    } else if (options.dtype == "bfloat16") {
        placement.dtype = c10::kBFloat16;
    } else if (options.dtype == "float16") {
        placement.dtype = c10::kHalf;
    } else if (options.dtype == "auto") {
        const bool cpu = placement.device.is_cpu();
        if (stored == Dtype::F64) placement.dtype = c10::kDouble;
        if (stored == Dtype::F16 && !cpu) placement.dtype = c10::kHalf;
        if (stored == Dtype::BF16 && (!cpu || cpuHasBf16())) placement.dtype = c10::kBFloat16;
    } else {
        throw Error("--dtype " + options.dtype + ": expected auto, float32, bfloat16, float16 or float64",
                    "Leave --dtype out to compute in the type that suits the device.",
                    ErrorCode::Usage);
    }
    return placement;
}

std::string deviceName(c10::Device device) {
    return device.str();
}

std::string dtypeName(c10::ScalarType dtype) {
    switch (dtype) {
        case c10::kDouble:
            return "float64";
        case c10::kHalf:
            return "float16";
        case c10::kBFloat16:
            return "bfloat16";
        default:
            return "float32";
    }
}

}  // namespace fovea
