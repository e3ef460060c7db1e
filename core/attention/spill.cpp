#include "attention/spill.h"

#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <fstream>
#include <random>

#include "fovea/error.h"
#include "io/mapped_file.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t alignment = 64;  // what kernels read fastest

std::size_t padded(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

// A name that nobody else takes.
fs::path freshName(const fs::path& folder) {
    std::random_device random;
    for (;;) {
        fs::path name = folder / fmt::format("fovea-{:08x}{:08x}.trace", random(), random());
        if (!fs::exists(name)) return name;
    }
}

// The mapping, and the name where the system cannot take that away from an open file.
struct Mapping {
    explicit Mapping(const fs::path& name) : path(name), file(MappedFile::open(name)) {
        std::error_code ignored;
        fs::remove(path, ignored);
    }
    ~Mapping() {
        file.reset();
        std::error_code ignored;
        fs::remove(path, ignored);
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    fs::path path;
    std::shared_ptr<const MappedFile> file;
};

void write(const fs::path& name, const std::vector<at::Tensor>& tensors) {
    std::ofstream file(name, std::ios::binary);
    const std::vector<char> zeros(alignment, 0);
    for (const at::Tensor& tensor : tensors) {
        const at::Tensor plain = tensor.to(at::kCPU).contiguous();
        const auto bytes = static_cast<std::size_t>(plain.nbytes());
        file.write(static_cast<const char*>(plain.const_data_ptr()), static_cast<std::streamsize>(bytes));
        file.write(zeros.data(), static_cast<std::streamsize>(padded(bytes) - bytes));
    }
    file.close();
    if (file) return;
    std::error_code ignored;
    fs::remove(name, ignored);
    throw Error("a recording that does not fit into memory could not be written to " + name.string(),
                "free space there, or set TMPDIR to a folder with more", ErrorCode::Memory);
}

}  // namespace

std::vector<at::Tensor> onTemporaryFile(const std::vector<at::Tensor>& tensors, const fs::path& folder) {
    const fs::path name = freshName(folder);
    write(name, tensors);
    const auto mapping = std::make_shared<const Mapping>(name);
    std::vector<at::Tensor> out;
    std::size_t at = 0;
    for (const at::Tensor& tensor : tensors) {
        out.push_back(at::from_blob(mapping->file->data() + at, tensor.sizes(), [mapping](void*) {},
                                    at::TensorOptions(tensor.scalar_type())));
        at += padded(static_cast<std::size_t>(tensor.nbytes()));
    }
    return out;
}

}  // namespace fovea
