#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fovea/array.h"
#include "io/mapped_file.h"
#include "io/safetensors.h"

namespace fovea {

/// A tensor's name in a trace file taken apart: `step<NNNN>/branch<cond|uncond>/image<N>/tile<N>/` + path,
/// each prefix only where it applies.
struct TraceName {
    std::optional<int> step;
    std::optional<std::string> branch;
    std::optional<int> image;
    std::optional<int> tile;
    std::string path;  ///< "vision.0.self/probs", "hidden/vision/3", "output/logits", "input/pixel_values"

    static TraceName parse(std::string_view name);
    std::string text() const;
    /// The prefixes alone, "" or "step0001/image0/".
    std::string prefix() const;
    bool operator==(const TraceName&) const = default;
};

/// A trace file opened for reading: mapped, values converted only when asked for.
class TraceFile {
public:
    /// Throws Error (Input) where the file is damaged or was not written as a trace (no fovea.version).
    static std::shared_ptr<const TraceFile> open(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return m_file->path(); }
    const std::vector<TensorInfo>& tensors() const { return m_header.tensors; }
    /// Null where there is no such tensor.
    const TensorInfo* find(const std::string& name) const;
    /// Metadata text under a key ("fovea.session", "fovea.token_map", "fovea.model", ...), "" where absent.
    std::string metadata(const std::string& key) const;

    /// A tensor as floats, whatever its element type; throws Error (Input) where it is absent.
    Array read(const std::string& name) const;
    /// The part [begin, end) of the first axis; the range must lie within it.
    Array read(const std::string& name, std::int64_t begin, std::int64_t end) const;

private:
    const TensorInfo& require(const std::string& name) const;

    std::shared_ptr<const MappedFile> m_file;
    SafetensorsHeader m_header;
    std::unordered_map<std::string, std::size_t> m_byName;
};

/// An entry that writes floats as F32, F16 or BF16, converted in pieces; the values must outlive the writing.
SafetensorsEntry floatEntry(std::string name, std::vector<std::int64_t> shape, std::span<const float> values,
                            Dtype stored = Dtype::F32);

}  // namespace fovea
