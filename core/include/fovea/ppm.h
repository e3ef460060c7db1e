#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "fovea/pixels.h"

namespace fovea {

/// Decodes a binary PPM (P6, maxval 255, at most 120 million pixels); `name` is for messages. Throws Error
/// for anything else.
Pixels decodePpm(std::span<const std::uint8_t> bytes, const std::string& name);
/// Reads a PPM file: the only picture format of builds without the codec library.
Pixels readPpm(const std::filesystem::path& file);
/// Writes a binary PPM file; it appears under its name only when complete.
void writePpm(const std::filesystem::path& file, const Pixels& picture);

}  // namespace fovea
