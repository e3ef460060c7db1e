#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fovea/pixels.h"

namespace fovea::viz {

using Bytes = std::span<const std::uint8_t>;

/// A file in memory and what to call it in messages.
struct Source {
    Bytes bytes;
    std::string name;
};

/// Pixels as stored, and the EXIF orientation (1..8) they are still to be turned by.
struct Decoded {
    Pixels pixels;
    int orientation = 1;
};

Decoded decodeJpeg(const Source& source);
Decoded decodePng(const Source& source);
Decoded decodeWebp(const Source& source);
Decoded decodeTiff(const Source& source);
Decoded decodeGif(const Source& source);
Decoded decodeBmp(const Source& source);
Decoded decodePnm(const Source& source);

/// Interleaved [height, width, 4] as colours and alpha; the list is freed.
Pixels splitAlpha(int width, int height, std::vector<std::uint8_t> rgba);

/// Throws Error unless 1 <= width * height <= 120 million and bytesPerPixel of memory for each of them stay below 840 MB.
void checkSize(const Source& source, std::int64_t width, std::int64_t height, int bytesPerPixel = 3);

/// Throws the Error for a file that the format's decoder refuses.
[[noreturn]] void failDamaged(const Source& source, const char* format, const std::string& reason);

/// Little-endian number of 2 or 4 bytes; the caller has checked that they are there.
inline std::uint32_t little16(Bytes b, std::size_t at) {
    return b[at] | static_cast<std::uint32_t>(b[at + 1]) << 8;
}
inline std::uint32_t little32(Bytes b, std::size_t at) {
    return little16(b, at) | little16(b, at + 2) << 16;
}

}  // namespace fovea::viz
