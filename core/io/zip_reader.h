#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fovea {

/// A member of a zip archive; its data are the bytes [offset, offset + size) of the file when it is stored as
/// is.
struct ZipEntry {
    std::string name;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    bool stored = false;  ///< false: compressed or encrypted, cannot be read in place
};

/// Reads the directory of a zip archive (zip64 included), every number checked against the file; throws Error
/// (Input).
std::vector<ZipEntry> readZipDirectory(std::span<const std::byte> file, const std::string& source);

}  // namespace fovea
