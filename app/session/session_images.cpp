#include "session_images.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>

#include "fovea/error.h"
#include "fovea/scenes.h"
#include "fovea/suggestion.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostNeighbours = 2000;

// Names in the folder where the picture was looked for.
std::vector<std::string> neighbours(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end && names.size() < kMostNeighbours;
         it.increment(error))
        names.push_back(it->path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

void requirePicture(const std::string& image) {
    std::error_code error;
    const fs::path file(image);
    const fs::file_status status = fs::status(file, error);
    if (fs::exists(status)) return;
    std::error_code ignored;
    if (error == std::errc::too_many_symbolic_link_levels)
        throw Error(image + ": expected a picture file, found symbolic links that lead in a circle",
                    "give the path of the picture itself");
    if (fs::is_symlink(fs::symlink_status(file, ignored)))
        throw Error(image + ": expected a picture file, found a symbolic link that leads nowhere",
                    "give the path of the picture itself");
    if (status.type() != fs::file_type::not_found)
        throw Error(image + ": expected a picture file, cannot be looked at: " + error.message(),
                    "check the path, and that you may read its folder");
    const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
    if (!fs::is_directory(folder, error))
        throw Error(image + ": expected a picture file, found no folder " + folder.string(),
                    "paths are relative to the working directory, those of a session to its file");
    const std::string name = file.filename().string();
    std::string meant = closestWord(name, neighbours(folder));
    if (meant == name) meant.clear();
    throw Error(image + ": expected a picture file, found no file of that name",
                meant.empty() ? "give the path of a picture, or scene:SEED for a drawn scene"
                              : "did you mean " + (file.has_parent_path() ? folder / meant : fs::path(meant)).string() +
                                    "?");
}

}  // namespace

std::uint64_t sceneSeed(const std::string& image) {
    const char* end = image.data() + image.size();
    std::uint64_t seed = 0;
    const auto [rest, problem] = std::from_chars(image.data() + 6, end, seed);
    if (problem == std::errc() && rest == end) return seed;
    throw Error(
        "image \"" + image + "\": expected scene:SEED with a whole number, found \"" + image.substr(6) + "\"",
        "write for instance scene:7, or ./scene:7 for a file of that name", ErrorCode::Usage);
}

std::vector<Pixels> readImages(const std::vector<std::string>& images, const ImageReader& reader,
                               const JobContext& job) {
    std::vector<Pixels> pictures;
    for (const std::string& image : images) {
        job.progress(static_cast<double>(pictures.size()) / static_cast<double>(images.size()),
                     "reading " + image);
        if (image.starts_with("scene:")) {
            SceneOptions options;
            options.seed = sceneSeed(image);
            pictures.push_back(makeScene(options).image);
        } else {
            requirePicture(image);
            pictures.push_back(reader(image));
        }
    }
    return pictures;
}

}  // namespace fovea
