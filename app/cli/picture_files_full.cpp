#include "fovea/ppm.h"
#include "fovea/viz/export.h"
#include "fovea/viz/image_file.h"
#include "fovea/viz/video_file.h"
#include "picture_files.h"
#include "picture_names.h"

namespace fovea::cli {

ImageReader imageReader() {
    return [](const std::filesystem::path& file) { return viz::readImage(file); };
}

VideoOpener videoOpener() {
    return [](const std::filesystem::path& file) { return viz::openVideo(file); };
}

void checkPictureName(const std::filesystem::path& file) {
    refuseMovies(file);
    requireSuffix(file, {".png", ".svg", ".pdf"});
}

void writePicture(const std::filesystem::path& file, const viz::Picture& picture, double dpi) {
    checkPictureName(file);
    viz::ExportOptions options;
    options.dpi = dpi;
    viz::exportPicture(picture, file, options);
}

std::string fontRemark(const std::filesystem::path& file, const viz::Picture& picture) {
    if (suffixOf(file) == ".svg") return {};
    const std::string undrawn = viz::undrawnCharacters(picture);
    return undrawn.empty() ? undrawn
                           : file.filename().string() + ": no font of this machine draws " + undrawn +
                                 "; install one, or write .svg, which is drawn with the fonts of its viewer";
}

void writePixels(const std::filesystem::path& file, const Pixels& pixels) {
    if (suffixOf(file) == ".ppm") return writePpm(file, pixels);
    requireSuffix(file, {".png", ".ppm"});
    viz::writePng(file, pixels);
}

}  // namespace fovea::cli
