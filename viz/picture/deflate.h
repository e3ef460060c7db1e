#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fovea::viz {

/// The data as a zlib stream (RFC 1950/1951, dynamic Huffman codes); the same bytes on every machine, which
/// is why no system library does it: pictures are compared byte by byte.
std::string zlibCompressed(std::string_view data);

/// CRC-32 as PNG uses it.
std::uint32_t crc32(std::string_view data);

}  // namespace fovea::viz
