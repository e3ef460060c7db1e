#pragma once

#include <filesystem>

#include "fovea/viz/picture.h"
#include "session/engine.h"

namespace fovea::cli {

// What depends on the build: the full one has codecs and Qt's picture back ends, the core build has neither.
// One of picture_files_full.cpp and picture_files_core.cpp is linked.

/// Reads picture files: everything viz/codec reads, or binary PPM.
ImageReader imageReader();

/// Opens films; empty in the core build.
VideoOpener videoOpener();

/// Writes a picture by suffix: png, svg or pdf, or only svg. Throws Error (Usage) for an unknown suffix,
/// (Input) for one that this build cannot write.
void writePicture(const std::filesystem::path& file, const viz::Picture& picture, double dpi);

/// What has to be said about the text of a picture in that file: the characters that no font of this machine draws. Empty
/// where all are drawn, and where the viewer's fonts decide (svg).
std::string fontRemark(const std::filesystem::path& file, const viz::Picture& picture);

/// Writes pixels as .png (full build) or .ppm.
void writePixels(const std::filesystem::path& file, const Pixels& pixels);

/// Throws what writePicture() would throw for this name, before anything is computed.
void checkPictureName(const std::filesystem::path& file);

}  // namespace fovea::cli
