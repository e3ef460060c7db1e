#pragma once

#include <string>
#include <string_view>

#include "fovea/viz/picture.h"

namespace fovea::viz {

/// Text for XML content and attributes: the five special characters escaped, characters that XML 1.0 forbids
/// replaced by U+FFFD, damaged UTF-8 likewise.
std::string xmlEscaped(std::string_view text);

/// The reverse for text that xmlEscaped() made; numeric references are understood too.
std::string xmlUnescaped(std::string_view text);

/// XMP with title, description (the recipe) and the document as an element of Fovea's name space.
std::string xmpPacket(const Picture& picture);

/// The element of Fovea's name space that carries the document, for XMP and SVG; empty without a document.
std::string documentElement(const Picture& picture);

/// Puts iTXt chunks (Title, Description, Software, fovea.document) right after the header of a PNG.
void insertPngMetadata(std::string& png, const Picture& picture);

/// An RGBA raster (straight alpha, [height, width, 4]) as a PNG file.
std::string encodePng(const std::uint8_t* rgba, int width, int height);

}  // namespace fovea::viz
