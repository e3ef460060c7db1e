#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "fovea/viz/picture.h"

namespace fovea::viz {

/// Whether title, recipe and document go into a file.
enum class Metadata { Embed, Omit };

/// The picture as an SVG 1.1 file: text stays text, rasters are embedded PNGs, layers are named groups.
/// Standard C++ only, so it works in builds without Qt, and its bytes depend on nothing but the picture.
std::string svgText(const Picture& picture, Metadata metadata = Metadata::Embed);

/// The document JSON of a PNG, SVG or PDF file that Fovea wrote, found by content, not by suffix; nothing
/// when the file has none. Throws Error (Input) when the file cannot be read, is damaged, or is larger than 1
/// GiB.
std::optional<std::string> readDocument(const std::filesystem::path& file);

/// The same from bytes in memory; `name` is for messages.
std::optional<std::string> documentFromBytes(const std::string& bytes, const std::string& name);

/// Writes bytes beside the final name and renames: there is never half a file. Throws Error (Input) naming
/// the file.
void writePictureFile(const std::filesystem::path& file, const std::string& bytes);

}  // namespace fovea::viz
