#pragma once

#include <optional>
#include <string_view>

#include "codec.h"
#include "fovea/pixels.h"

namespace fovea::viz {

/// The orientation in EXIF data (with or without "Exif\0\0" before its TIFF header); nothing where it has none.
std::optional<int> exifOrientation(Bytes exif);
/// The orientation in an XMP packet.
std::optional<int> xmpOrientation(std::string_view xmp);

/// Turns and mirrors a picture upright; values outside 2..8 leave it as it is.
Pixels upright(Pixels picture, int orientation);

}  // namespace fovea::viz
