#include "fovea/visual_processor.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <nlohmann/json.hpp>
#include <system_error>

#include "fovea/error.h"
#include "io/json_file.h"
#include "io/visual/families.h"
#include "io/visual/frame_sampling.h"
#include "io/visual/visual_files.h"
#include "io/visual/visual_settings.h"

namespace fovea {
namespace {

using Json = nlohmann::json;
using Make = std::unique_ptr<VisualProcessor> (*)(const VisualFiles&, std::string_view);

struct Family {
    const char* modelType;
    Make make;
    FrameSampling::Rule sampling = FrameSampling::Rule::Even;
};

template <std::unique_ptr<VisualProcessor> (*make)(const VisualFiles&)>
std::unique_ptr<VisualProcessor> plain(const VisualFiles& files, std::string_view) {
    return make(files);
}

constexpr Family kFamilies[] = {
    {"llava", makeLlava},
    {"vipllava", makeLlava},
    {"llava_next", plain<makeLlavaNext>},
    {"llava_onevision", plain<makeLlavaOnevision>},
    {"idefics3", plain<makeIdefics3>},
    {"smolvlm", plain<makeSmolVlm>, FrameSampling::Rule::SmolVlm},
    {"internvl", plain<makeInternVl>, FrameSampling::Rule::Middle},
    {"gemma3", plain<makeGemma3>},
    {"mllama", plain<makeMllama>},
    {"paligemma", plain<makePaliGemma>},
    {"blip", plain<makeBlip>},
    {"qwen2_vl", makeQwen2Vl, FrameSampling::Rule::Qwen2},
    {"qwen2_5_vl", makeQwen2Vl, FrameSampling::Rule::Qwen2},
    {"qwen3_vl", plain<makeQwen3Vl>, FrameSampling::Rule::Qwen3},
};

Json readIfThere(const std::filesystem::path& path) {
    std::error_code code;
    return std::filesystem::exists(path, code) ? readJsonFile(path) : Json();
}

bool holds(const Json& object, const char* key) {
    const auto it = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && it != object.end() && !it->is_null();
}

}  // namespace

VisualInput VisualProcessor::processVideo(std::span<const Pixels>, const VideoTiming&) const {
    throw Error("video: expected images, since this model takes no video; found frames", "give single images",
                ErrorCode::Usage);
}

std::vector<std::int64_t> VisualProcessor::sampleFrames(const VideoTiming& file) const {
    return sampledFrames(m_sampling, file);
}

std::unique_ptr<VisualProcessor> VisualProcessor::fromFiles(const VisualFiles& files,
                                                            std::string_view modelType) {
    for (const Family& family : kFamilies) {
        if (modelType != family.modelType) continue;
        auto made = family.make(files, modelType);
        FrameSampling sampling;
        sampling.rule = family.sampling;
        sampling.on = family.sampling == FrameSampling::Rule::Qwen3;  // the one that always samples
        sampling.fps = sampling.on ? 2 : 0;
        const ProcessorKeys keys(objectOf(files.video, files.videoFile), files.videoFile);
        made->m_sampling = readSampling(keys, sampling);
        made->m_guessed = files.image.is_null();
        const auto said = [](const std::string& notice) { return notice.starts_with("no preprocessor_config.json"); };
        if (made->m_guessed && std::none_of(made->m_notices.begin(), made->m_notices.end(), said))
            made->m_notices.push_back(fmt::format("no preprocessor_config.json: using the defaults of {}, which may give the "
                                                  "model pictures of another size than it was trained on",
                                                  modelType));
        return made;
    }
    throw Error(
        fmt::format("{}: model_type: expected a vision-language family with a known image processor, found "
                    "\"{}\"",
                    files.configFile, modelType.substr(0, 60)),
        "prepare pixel_values yourself and pass them with --tensors");
}

std::unique_ptr<VisualProcessor> VisualProcessor::fromFolder(const std::filesystem::path& folder,
                                                             std::string_view modelType, const Json& config) {
    VisualFiles files;
    files.config = config;
    const auto named = [&folder](const char* name) { return (folder / name).string(); };
    files.configFile = named("config.json");
    files.processorFile = named("processor_config.json");
    files.processor = readIfThere(files.processorFile);
    files.tokenizer = readIfThere(named("tokenizer_config.json"));
    files.imageFile = files.videoFile = named("preprocessor_config.json");
    files.image = files.video = readIfThere(files.imageFile);
    if (const Json own = readIfThere(named("video_preprocessor_config.json")); !own.is_null()) {
        files.video = own;
        files.videoFile = named("video_preprocessor_config.json");
    }
    if (holds(files.processor, "image_processor")) {
        files.image = files.processor["image_processor"];
        files.imageFile = files.processorFile;
    }
    if (holds(files.processor, "video_processor")) {
        files.video = files.processor["video_processor"];
        files.videoFile = files.processorFile;
    }
    const std::string ignored = modelType == "gemma3" ? withoutPanAndScan(files) : std::string();
    auto made = fromFiles(files, modelType);
    if (!ignored.empty()) made->m_notices.push_back(ignored);
    return made;
}

std::vector<std::string> VisualProcessor::supportedModelTypes() {
    std::vector<std::string> types;
    for (const Family& family : kFamilies) types.emplace_back(family.modelType);
    return types;
}

}  // namespace fovea
