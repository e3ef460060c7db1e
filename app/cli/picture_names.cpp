#include "picture_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "fovea/error.h"

namespace fovea::cli {

std::string suffixOf(const std::filesystem::path& file) {
    std::string suffix = file.extension().string();
    std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return suffix;
}

void requireSuffix(const std::filesystem::path& file, const std::vector<std::string>& suffixes) {
    const std::string found = suffixOf(file);
    if (std::find(suffixes.begin(), suffixes.end(), found) != suffixes.end()) return;
    throw Error(fmt::format("{}: expected a name that ends in {}, found \"{}\"", file.string(),
                            fmt::join(suffixes, ", "), found),
                "the suffix chooses the format", ErrorCode::Usage);
}

void refuseMovies(const std::filesystem::path& file) {
    const std::string suffix = suffixOf(file);
    if (suffix != ".webm" && suffix != ".mp4" && suffix != ".gif") return;
    throw Error(
        fmt::format("{}: a film needs a time axis (steps, answer tokens, frames), and this input has none",
                    file.string()),
        "write a .png; for several pictures repeat --image, which gives a numbered PNG sequence");
}

std::filesystem::path numberedName(const std::filesystem::path& file, int number) {
    return file.parent_path() /
           fmt::format("{}-{}{}", file.stem().string(), number, file.extension().string());
}

}  // namespace fovea::cli
