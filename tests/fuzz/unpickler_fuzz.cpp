#include <span>

#include "fovea/error.h"
#include "io/builders.h"
#include "io/pickle.h"

namespace {

void read(const std::string& file) {
    try {
        for (const fovea::TensorInfo& tensor :
             fovea::readPickledTensors(std::as_bytes(std::span(file.data(), file.size())), "input"))
            if (tensor.end > file.size() || tensor.begin > tensor.end) __builtin_trap();
    } catch (const fovea::Error&) {
    }
}

}  // namespace

/// Any bytes as a whole file of torch.save, and as the pickle of a well-formed archive.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string input(reinterpret_cast<const char*>(data), size);
    read(input);
    read(fovea::test::torchZip(input, {{"0", std::string(24, 'x')}}));
    return 0;
}
