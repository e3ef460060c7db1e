#include <map>
#include <span>

#include "fovea/error.h"
#include "io/hf_config.h"
#include "io/safetensors.h"

/// Any bytes as a safetensors file; what parses must keep the format's promises.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    try {
        const fovea::SafetensorsHeader header = fovea::parseSafetensors(bytes, "input");
        std::map<std::string, std::vector<std::int64_t>> shapes;
        for (const fovea::TensorInfo& tensor : header.tensors) {
            if (tensor.end > size || tensor.begin > tensor.end) __builtin_trap();
            if (tensor.numel() * fovea::itemSize(tensor.dtype) !=
                static_cast<std::int64_t>(tensor.end - tensor.begin))
                __builtin_trap();
            shapes[tensor.name] = tensor.shape;
        }
        fovea::configFromTensors(shapes, "input");
    } catch (const fovea::Error&) {
    }
    return 0;
}
