#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fovea::cli {

/// The suffix in lower case, with its dot.
std::string suffixOf(const std::filesystem::path& file);

/// Throws Error (Usage) naming the suffixes that there are.
void requireSuffix(const std::filesystem::path& file, const std::vector<std::string>& suffixes);

/// Throws Error (Input) for names of films: no family of models has a time axis.
void refuseMovies(const std::filesystem::path& file);

/// Throws Error (Input) when a file of that name can never be written: its folder does not exist, or it is a
/// folder itself. Better to know before an hour of computing.
void requirePlace(const std::filesystem::path& file);

/// "dir/map.png" -> "dir/map-3.png".
std::filesystem::path numberedName(const std::filesystem::path& file, int number);

}  // namespace fovea::cli
