#include "recorded_pictures.h"

#include <algorithm>
#include <filesystem>

#include "fovea/error.h"
#include "fovea/model_reference.h"
#include "io/trace_file.h"
#include "session_images.h"

namespace fovea {
namespace {

// A trace comes from anywhere: it may name only what reads as a plain file.
bool mayBeRead(const std::string& image) {
    std::error_code error;
    return image.starts_with("scene:") || std::filesystem::is_regular_file(image, error);
}

}  // namespace

std::vector<Pixels> recordedPictures(const std::string& reference, const ImageReader& reader, const JobContext& job) {
    try {
        const ResolvedModel files = resolveModel(reference);
        if (files.format != ModelFormat::Trace || files.weightFiles.empty()) return {};
        const std::string text = TraceFile::open(files.weightFiles.front())->metadata("fovea.session");
        if (text.empty()) return {};
        const std::vector<std::string> images = sessionFromText(text).input.images;
        if (!std::all_of(images.begin(), images.end(), mayBeRead)) return {};
        return readImages(images, reader, job);
    } catch (const Error&) {
        return {};  // gone, changed or no picture: the recording is shown without
    }
}

}  // namespace fovea
