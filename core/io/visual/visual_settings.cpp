#include "io/visual/visual_settings.h"

#include <algorithm>
#include <fmt/format.h>

#include "fovea/error.h"
#include "io/json_file.h"

namespace fovea {

using Json = nlohmann::json;

ImageProcessor::Settings visualDefaults(const char* className, int side, Resample filter,
                                        const std::array<double, 3>& mean,
                                        const std::array<double, 3>& deviation) {
    ImageProcessor::Settings s;
    s.className = className;
    s.height = s.width = side;
    s.resample = filter;
    s.mean = mean;
    s.deviation = deviation;
    s.cropHeight = s.cropWidth = 0;
    return s;
}

const Json& objectOf(const Json& given, const std::string& file) {
    static const Json empty = Json::object();
    if (given.is_null()) return empty;
    if (!given.is_object())
        throw Error(fmt::format("{}: expected an object, found {}", file, describeJson(given)),
                    "Correct the file, or fetch it again.");
    return given;
}

void checkClass(const ProcessorKeys& keys, std::string_view accepted) {
    const char* key = keys.find("image_processor_type") ? "image_processor_type" : "feature_extractor_type";
    std::string name = keys.text(key).value_or("");
    if (const std::size_t at = name.find("FeatureExtractor"); at != std::string::npos)
        name.replace(at, 16, "ImageProcessor");
    for (const std::string_view suffix : {"Fast", "Pil"}) {
        if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
    }
    if (name.empty()) return;
    std::string_view rest = accepted;
    while (!rest.empty()) {
        const std::string_view one = rest.substr(0, rest.find(' '));
        if (one == name) return;
        rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    }
    const bool pixtral = name.starts_with("Pixtral");
    std::string known(accepted);
    for (std::size_t at = 0; (at = known.find(' ', at)) != std::string::npos; at += 4)
        known.replace(at, 1, " or ");
    throw Error(
        fmt::format("{}: {}: expected {}, found \"{}\"", keys.file(), key, known, name.substr(0, 60)),
        pixtral ? "Pixtral's image processor is not supported; use a LLaVA checkpoint with a CLIP or SigLIP "
                  "tower, or prepare pixel_values yourself and pass them with --tensors"
                : "prepare pixel_values yourself and pass them with --tensors");
}

ImageProcessor::Settings withoutResize(ImageProcessor::Settings settings) {
    settings.doResize = settings.doCrop = settings.doPad = false;
    return settings;
}

void checkVideoFilter(const ImageProcessor::Settings& settings) {
    const Resample r = settings.resample;
    if (!settings.doResize || r == Resample::Bilinear || r == Resample::Bicubic || r == Resample::Lanczos)
        return;
    throw Error(fmt::format("{}: resample: expected bilinear, bicubic or lanczos for a video, found {}",
                            settings.className, static_cast<int>(r)),
                "Correct resample in the processor's configuration.");
}

std::array<float, 3> blackOf(const ImageProcessor::Settings& settings) {
    const ProcessedImage one = ImageProcessor(withoutResize(settings)).process(Pixels(1, 1));
    return {one.values[0], one.values[1], one.values[2]};
}

}  // namespace fovea
