#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "fovea/array.h"

namespace fovea {

/// Writes one array as .npy (format 1.0, float32, C order), complete or not at all.
void writeNpy(const std::filesystem::path& path, const Array& array);

/// Writes arrays as .npz that numpy.load reads: a zip archive with one stored .npy member per name (zip64
/// where needed), complete or not at all. Names are unique, without the .npy ending; '/' is allowed. Lists of texts
/// become arrays of one axis of fixed-width Unicode ('<U7'), bytes that are no UTF-8 U+FFFD; texts of a list that
/// would take more than 256 MiB are cut and end with an ellipsis.
void writeNpz(const std::filesystem::path& path,
              const std::vector<std::pair<std::string, const Array*>>& arrays,
              const std::vector<std::pair<std::string, std::vector<std::string>>>& texts = {});

}  // namespace fovea
