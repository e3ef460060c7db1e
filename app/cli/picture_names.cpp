#include "picture_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "fovea/error.h"
#include "fovea/suggestion.h"

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
    const std::string meant = closestWord(found, suffixes);
    throw Error(fmt::format("{}: expected a name that ends in {}, found {}", file.string(), fmt::join(suffixes, ", "),
                            found.empty() ? "none of them" : "\"" + found + "\""),
                (meant.empty() ? "" : "did you mean " + meant + "? ") + "the ending of the name chooses the format",
                ErrorCode::Usage);
}

void refuseMovies(const std::filesystem::path& file) {
    const std::string suffix = suffixOf(file);
    if (suffix != ".webm" && suffix != ".mp4" && suffix != ".gif") return;
    throw Error(
        fmt::format("{}: a film needs a time axis (steps, answer tokens, frames), and this input has none",
                    file.string()),
        "write a .png, .svg or .pdf; for several pictures repeat --image, which gives a numbered PNG sequence");
}

void requirePlace(const std::filesystem::path& file) {
    std::error_code error;
    const auto fail = [&](const std::string& found, const char* hint) {
        throw Error(fmt::format("{}: expected a file that can be written, found {}", file.string(), found),
                    hint);
    };
    if (std::filesystem::is_directory(file, error)) fail("a folder", "name a file in it");
    const std::filesystem::path folder = file.parent_path();
    if (!folder.empty() && !std::filesystem::is_directory(folder, error))
        fail("no folder " + folder.string(), "make the folder first");
}

std::filesystem::path numberedName(const std::filesystem::path& file, int number) {
    return file.parent_path() /
           fmt::format("{}-{}{}", file.stem().string(), number, file.extension().string());
}

}  // namespace fovea::cli
