#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "fovea/pixels.h"
#include "fovea/viz/picture.h"

namespace fovea::viz {

/// How a picture becomes a file.
struct ExportOptions {
    double dpi = 150;      ///< dots per inch of a PNG, 10..1200; a picture unit is 1/96 inch
    bool metadata = true;  ///< put title, recipe and document into the file, so that it can be opened again
};

enum class FileFormat { Png, Svg, Pdf };

/// The format that a suffix (".png", ".svg", ".pdf", any case) stands for; throws Error (Usage) for any
/// other.
FileFormat formatFromSuffix(const std::filesystem::path& file);

/// The bytes of a picture file; equal pictures give equal bytes. Throws Error (Usage) on a dpi out of range
/// and Error (Memory) on a picture of more than 400 megapixels.
std::string encodePicture(const Picture& picture, FileFormat format, const ExportOptions& options = {});

/// Writes a picture in the format of the file's suffix, complete or not at all: beside the final name, then
/// renamed.
void exportPicture(const Picture& picture, const std::filesystem::path& file,
                   const ExportOptions& options = {});

/// The picture as pixels over its background, dpi / 96 pixels to a unit: frames of an animation, thumbnails.
Pixels renderPixels(const Picture& picture, double dpi);

/// The characters of the picture's text that no font of this machine draws, each once, the first twelve and an ellipsis;
/// empty where all are drawn.
std::string undrawnCharacters(const Picture& picture);

/// Makes the graphics system usable without a window: creates an application object on the "offscreen"
/// platform when the program has none. Called by the functions above; call it first on the main thread when
/// they run on others.
void ensureGraphics();

}  // namespace fovea::viz
