#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/mapped_file.h"
#include "io/tensor_info.h"

namespace fovea {

/// The checked header of a safetensors file: tensors in order of their data, offsets from the start of the
/// file.
struct SafetensorsHeader {
    std::vector<TensorInfo> tensors;
    std::map<std::string, std::string> metadata;
};

/// Parses and checks a whole file image against every rule of the format (no holes, overlaps, duplicates,
/// overflow, trailing bytes); throws Error (Input) naming source, tensor, expected and found.
SafetensorsHeader parseSafetensors(std::span<const std::byte> file, const std::string& source);

/// One tensor to write: name, element type, shape, and a function that delivers its bytes, row-major,
/// little-endian, in as many calls of the sink as it likes.
struct SafetensorsEntry {
    using Sink = std::function<void(std::span<const std::byte>)>;

    std::string name;
    Dtype dtype = Dtype::F32;
    std::vector<std::int64_t> shape;
    std::function<void(const Sink&)> produce;

    /// An entry whose bytes are already in memory; the memory must outlive the writing.
    static SafetensorsEntry fromBytes(std::string name, Dtype dtype, std::vector<std::int64_t> shape,
                                      std::span<const std::byte> bytes);
};

/// Writes a file beside path and renames it when complete; data starts at a multiple of 8, tensors ordered by
/// descending element size, then name. Throws Error (Input) for I/O failures, and (Internal) where an entry
/// delivers another number of bytes than its shape says.
void writeSafetensors(const std::filesystem::path& path, std::vector<SafetensorsEntry> entries,
                      const std::map<std::string, std::string>& metadata = {});

}  // namespace fovea
