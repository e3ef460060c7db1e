#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "fovea/pixels.h"

namespace fovea::viz {

/// Reads a picture file: JPEG, PNG, WebP, GIF (first frame), TIFF (first page), BMP, PPM; recognised by content, not by
/// suffix. The result equals Pillow 13's Image.open, exif_transpose and convert("RGB"), byte for byte: 16-bit
/// colour keeps its high byte, 16-bit grey is cut off at 255, CMYK JPEGs are read as Adobe's inverted ones. Pixels::alpha
/// is that of convert("RGBA") where Pillow's mode is another than RGB.
/// Throws Error for what is damaged, cut off or larger than 120 million pixels (or, for formats that need more memory while
/// decoding, less than that); the memory used stays below 1 GiB, and sizes are checked before anything is decoded.
Pixels readImage(const std::filesystem::path& file);

/// The same from bytes in memory; `name` is for messages.
Pixels decodeImage(std::span<const std::uint8_t> bytes, const std::string& name);

/// The picture as an 8-bit RGB PNG; the same picture gives the same bytes.
std::vector<std::uint8_t> pngBytes(const Pixels& picture);

/// Writes a PNG file; it appears under its name only when complete.
void writePng(const std::filesystem::path& file, const Pixels& picture);

}  // namespace fovea::viz
