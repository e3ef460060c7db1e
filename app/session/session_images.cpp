#include "session_images.h"

#include <charconv>

#include "fovea/error.h"
#include "fovea/scenes.h"

namespace fovea {

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
            pictures.push_back(reader(image));
        }
    }
    return pictures;
}

}  // namespace fovea
