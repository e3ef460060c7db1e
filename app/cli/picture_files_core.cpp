#include "fovea/error.h"
#include "fovea/ppm.h"
#include "fovea/viz/picture_file.h"
#include "picture_files.h"
#include "picture_names.h"

namespace fovea::cli {
namespace {

[[noreturn]] void needsFullBuild(const std::filesystem::path& file, const char* instead) {
    throw Error(
        file.string() + ": this build of Fovea has no picture codecs (it was built without Qt and image libraries)",
        instead);
}

}  // namespace

ImageReader imageReader() {
    return [](const std::filesystem::path& file) { return readPpm(file); };
}

VideoOpener videoOpener() { return {}; }

void checkPictureName(const std::filesystem::path& file) {
    refuseMovies(file);
    requireSuffix(file, {".png", ".svg", ".pdf"});
    if (suffixOf(file) != ".svg") needsFullBuild(file, "write .svg, or build with packaging/dev build");
}

void writePicture(const std::filesystem::path& file, const viz::Picture& picture, double) {
    checkPictureName(file);
    viz::writePictureFile(file, viz::svgText(picture));
}

std::string fontRemark(const std::filesystem::path&, const viz::Picture&) { return {}; }

void writePixels(const std::filesystem::path& file, const Pixels& pixels) {
    requireSuffix(file, {".png", ".ppm"});
    if (suffixOf(file) != ".ppm") needsFullBuild(file, "write .ppm, or build with packaging/dev build");
    writePpm(file, pixels);
}

}  // namespace fovea::cli
