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

void writePixels(const std::filesystem::path& file, const Pixels& pixels) {
    if (suffixOf(file) == ".ppm") return writePpm(file, pixels);
    requireSuffix(file, {".png", ".ppm"});
    viz::writePng(file, pixels);
}

}  // namespace fovea::cli
