// Reads preprocessor_config.json and its relatives into ImageProcessor::Settings.
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "fovea/error.h"
#include "fovea/image_processor.h"
#include "io/json_file.h"
#include "io/processor_keys.h"

namespace fovea {
namespace {

using Json = nlohmann::json;
using Settings = ImageProcessor::Settings;
using SizeRule = Settings::SizeRule;
using Keys = ProcessorKeys;

constexpr std::int64_t kMaxValues = 3 * (std::int64_t{1} << 25);

constexpr std::array<double, 3> kImageNetMean{0.485, 0.456, 0.406};
constexpr std::array<double, 3> kImageNetDeviation{0.229, 0.224, 0.225};

/// A class of the reference with what it uses for keys that a file leaves out.
struct ProcessorClass {
    Settings defaults;
    bool defaultToSquare = true;  // how a `size` that is one number is read
    bool pads = true;             // whether it looks at do_pad at all
};

Settings square(const char* name, int side, Resample resample, const std::array<double, 3>& mean,
                const std::array<double, 3>& deviation) {
    Settings s;
    s.className = name;
    s.height = s.width = side;
    s.resample = resample;
    s.mean = mean;
    s.deviation = deviation;
    s.cropHeight = s.cropWidth = 0;  // most classes have no size of their own for a crop that a file asks for
    return s;
}

std::vector<ProcessorClass> processorClasses() {
    std::vector<ProcessorClass> classes;
    const auto cropBy224 = [&classes](bool asked) {
        classes.back().defaults.doCrop = asked;
        classes.back().defaults.cropHeight = classes.back().defaults.cropWidth = 224;
    };
    classes.push_back({square("ViTImageProcessor", 224, Resample::Bilinear, kHalf, kHalf)});
    classes.push_back({square("DeiTImageProcessor", 256, Resample::Bicubic, kHalf, kHalf)});
    cropBy224(true);
    for (const char* name : {"BitImageProcessor", "CLIPImageProcessor"}) {
        classes.push_back({square(name, 224, Resample::Bicubic, kClipMean, kClipDeviation), false});
        classes.back().defaults.rule = SizeRule::ShortestEdge;
        cropBy224(true);
    }
    classes.push_back({square("BeitImageProcessor", 224, Resample::Bicubic, kHalf, kHalf), true, false});
    cropBy224(false);
    classes.push_back({square("SiglipImageProcessor", 224, Resample::Bicubic, kHalf, kHalf), false});
    classes.push_back({square("BlipImageProcessor", 384, Resample::Bicubic, kClipMean, kClipDeviation)});
    classes.push_back({square("Siglip2ImageProcessor", 0, Resample::Bilinear, kHalf, kHalf), true, false});
    classes.back().defaults.rule = SizeRule::MaxPatches;
    classes.push_back(
        {square("DINOv3ViTImageProcessor", 224, Resample::Bilinear, kImageNetMean, kImageNetDeviation), true,
         false});
    classes.back().defaults.backend = Settings::Backend::DinoV3;
    return classes;
}

struct Family {
    const char* modelType;
    const char* className;
};

constexpr std::array kFamilies{
    Family{"vit", "ViTImageProcessor"},
    Family{"vit_mae", "ViTImageProcessor"},
    Family{"vit_msn", "ViTImageProcessor"},
    Family{"ijepa", "ViTImageProcessor"},
    Family{"swin", "ViTImageProcessor"},
    Family{"swinv2", "ViTImageProcessor"},
    Family{"deit", "DeiTImageProcessor"},
    Family{"dinov2", "BitImageProcessor"},
    Family{"dinov2_with_registers", "BitImageProcessor"},
    Family{"dinov3_vit", "DINOv3ViTImageProcessor"},
    Family{"clip", "CLIPImageProcessor"},
    Family{"clip_vision_model", "CLIPImageProcessor"},
    Family{"siglip", "SiglipImageProcessor"},
    Family{"siglip_vision_model", "SiglipImageProcessor"},
    Family{"siglip2", "Siglip2ImageProcessor"},
    Family{"siglip2_vision_model", "Siglip2ImageProcessor"},
    Family{"beit", "BeitImageProcessor"},
    Family{"data2vec-vision", "BeitImageProcessor"},
};

ImageProcessor fromTimm(const Keys& keys) {
    Settings s;
    s.className = "timm";
    s.backend = Settings::Backend::Timm;
    s.resample = Resample::Bicubic;
    s.mean = kImageNetMean;
    s.deviation = kImageNetDeviation;
    if (const Json* size = keys.find("input_size")) {
        if (!size->is_array() || size->size() != 3) keys.fail("input_size", "[3, height, width]", *size);
        if ((*size)[0] != 3) keys.fail("input_size[0]", "3 channels", (*size)[0]);
        s.cropHeight = keys.side("input_size[1]", (*size)[1]);
        s.cropWidth = keys.side("input_size[2]", (*size)[2]);
    }
    if (const auto name = keys.text("interpolation")) {
        s.resample = resampleNamed(keys, "interpolation", *name, *keys.find("interpolation"));
    }
    keys.channels("mean", s.mean);
    keys.deviations("std", s.deviation);
    double part = 0.875;
    if (const Json* value = keys.find("crop_pct")) {
        part = keys.number("crop_pct", *value);
        if (part < 0.01 || part > 100) keys.fail("crop_pct", "a number from 0.01 to 100", *value);
    }
    s.doCrop = true;
    s.height = static_cast<int>(std::floor(s.cropHeight / part));
    s.width = static_cast<int>(std::floor(s.cropWidth / part));
    if (s.height < 1 || s.width < 1)
        keys.fail("crop_pct", "a size of at least 1 pixel", *keys.find("crop_pct"));
    const std::string mode = keys.text("crop_mode").value_or("center");
    if (mode == "squash") {
        s.rule = SizeRule::Exact;
    } else if (mode == "border") {
        s.rule = SizeRule::FitRounded;
        for (std::size_t c = 0; c < 3; ++c) {
            s.cropFill[c] =
                static_cast<std::uint8_t>(std::clamp(std::nearbyint(255 * s.mean[c]), 0.0, 255.0));
        }
    } else if (mode == "center") {
        s.rule = s.height == s.width ? SizeRule::ShortestEdge : SizeRule::CoverRounded;
    } else {
        keys.fail("crop_mode", "center, squash or border", *keys.find("crop_mode"));
    }
    return ImageProcessor(std::move(s));
}

const Family* familyOf(std::string_view modelType) {
    const auto it = std::find_if(kFamilies.begin(), kFamilies.end(),
                                 [&](const Family& f) { return modelType == f.modelType; });
    return it == kFamilies.end() ? nullptr : &*it;
}

ProcessorClass classNamed(std::string_view name, std::string_view file) {
    const std::vector<ProcessorClass> classes = processorClasses();
    std::string known;
    for (const ProcessorClass& c : classes) {
        if (c.defaults.className == name) return c;
        known += (known.empty() ? "" : ", ") + c.defaults.className;
    }
    throw Error(
        fmt::format("{}: image_processor_type: expected one of {}, found \"{}\"", file, known,
                    name.substr(0, 60)),
        "this image processor is not supported; prepare pixel_values yourself and pass them with --tensors");
}

std::string classNameOf(const Keys& keys, std::string_view modelType) {
    std::string name = keys.text("image_processor_type").value_or("");
    if (name.empty()) {
        name = keys.text("feature_extractor_type").value_or("");
        const std::size_t at = name.find("FeatureExtractor");
        if (at != std::string::npos) name.replace(at, 16, "ImageProcessor");
    }
    for (const char* suffix : {"Fast", "Pil"}) {
        if (name.ends_with(suffix)) name.resize(name.size() - std::string_view(suffix).size());
    }
    if (!name.empty()) return name;
    if (const Family* family = familyOf(modelType)) return family->className;
    throw Error(
        fmt::format(
            "{}: image_processor_type: expected the name of a class (model type \"{}\" has no default), "
            "found nothing",
            keys.file(), modelType.substr(0, 60)),
        "prepare pixel_values yourself and pass them with --tensors");
}

std::optional<Json> readIfThere(const std::filesystem::path& path) {
    std::error_code code;
    if (!std::filesystem::exists(path, code)) return std::nullopt;
    return readJsonFile(path);
}

bool isTimm(const Json& config) {
    return config.is_object() && (config.contains("pretrained_cfg") ||
                                  (config.contains("architecture") && config.contains("input_size")));
}

}  // namespace

ImageProcessor ImageProcessor::fromJson(const Json& root, std::string_view modelType,
                                        std::string_view fileName) {
    if (!root.is_object()) Keys(root, fileName).fail("(root)", "an object", root);
    if (isTimm(root)) {
        const auto nested = root.find("pretrained_cfg");
        const Json& config = nested == root.end() ? root : *nested;
        if (!config.is_object()) Keys(root, fileName).fail("pretrained_cfg", "an object", config);
        return fromTimm(Keys(config, fileName));
    }
    const auto nested = root.find("image_processor");
    const Json& config = nested == root.end() ? root : *nested;
    const Keys keys(config, fileName);
    if (!config.is_object()) keys.fail("image_processor", "an object", config);

    const ProcessorClass base = classNamed(classNameOf(keys, modelType), fileName);
    Settings s = base.defaults;
    bool toSquare = base.defaultToSquare;
    keys.flag("default_to_square", toSquare);
    readSize(keys, toSquare, s);
    readPixelSettings(keys, s);
    bool pad = false;
    keys.flag("do_pad", pad);
    s.doPad = pad && base.pads;
    if (s.doPad) readBothSides(keys, "pad_size", s.padHeight, s.padWidth);

    if (s.rule == SizeRule::MaxPatches) {
        s.doCrop = false;
        if (const Json* value = keys.find("patch_size")) s.patchSize = keys.side("patch_size", *value, 1024);
        if (const Json* value = keys.find("max_num_patches")) {
            const std::int64_t most = kMaxValues / (3LL * s.patchSize * s.patchSize);
            s.maxPatches = keys.side("max_num_patches", *value, static_cast<int>(most));
        }
    }
    if (s.backend == Settings::Backend::DinoV3) {
        if (!s.doRescale) keys.fail("do_rescale", "true for " + s.className, false);
        if (s.doResize && s.resample != Resample::Nearest && s.resample != Resample::Bilinear &&
            s.resample != Resample::Bicubic) {
            keys.fail("resample", "nearest, bilinear or bicubic for " + s.className, *keys.find("resample"));
        }
    }
    return ImageProcessor(std::move(s));
}

ImageProcessor ImageProcessor::fromText(std::string_view text, std::string_view modelType,
                                        std::string_view fileName) {
    return fromJson(parseJson(text, std::string(fileName)), modelType, fileName);
}

ImageProcessor ImageProcessor::fromFolder(const std::filesystem::path& folder, std::string_view modelType) {
    const auto nested = readIfThere(folder / "processor_config.json");
    if (nested && nested->is_object() && nested->contains("image_processor")) {
        return fromJson(*nested, modelType, (folder / "processor_config.json").string());
    }
    if (const auto config = readIfThere(folder / "preprocessor_config.json")) {
        return fromJson(*config, modelType, (folder / "preprocessor_config.json").string());
    }
    int imageSize = 0;
    if (const auto config = readIfThere(folder / "config.json")) {
        const std::string name = (folder / "config.json").string();
        if (isTimm(*config)) return fromJson(*config, modelType, name);
        if (config->is_object()) {
            const auto vision = config->find("vision_config");
            const Json& source = vision != config->end() && vision->is_object() ? *vision : *config;
            const Keys keys(source, name);
            const Json* size = keys.find("image_size");
            if (size && size->is_number()) imageSize = keys.side("image_size", *size);
        }
    }
    return forFamily(modelType, imageSize);
}

ImageProcessor ImageProcessor::forFamily(std::string_view modelType, int imageSize) {
    const Family* family = familyOf(modelType);
    if (!family) {
        throw Error(
            fmt::format("preprocessor_config.json: expected a file, since model type \"{}\" has no defaults; "
                        "found none",
                        modelType.substr(0, 60)),
            "put the preprocessor_config.json of the checkpoint beside its config.json");
    }
    if (imageSize < 0 || imageSize > kMaxProcessorSide) {
        throw Error(fmt::format("image_size: expected 1 to {}, found {}", kMaxProcessorSide, imageSize),
                    "Correct image_size in the configuration, or fetch it again.");
    }
    Settings s = classNamed(family->className, "(default)").defaults;
    const bool dino = modelType.starts_with("dinov2");
    if (dino || modelType == "deit" || modelType == "vit_mae" || modelType.starts_with("swin")) {
        s.mean = kImageNetMean;
        s.deviation = kImageNetDeviation;
    }
    if (dino) s.height = s.width = 256;
    if (imageSize > 0 && s.rule != SizeRule::MaxPatches) {
        const int resized = s.doCrop ? std::min(kMaxProcessorSide, imageSize * s.height / s.cropHeight) : imageSize;
        s.height = s.width = resized;
        s.cropHeight = s.cropWidth = imageSize;
    }
    std::string notice =
        fmt::format("no preprocessor_config.json: using what published {} checkpoints use", modelType);
    return ImageProcessor(std::move(s), {std::move(notice)});
}

std::vector<std::string> ImageProcessor::supportedModelTypes() {
    std::vector<std::string> types;
    for (const Family& family : kFamilies) types.emplace_back(family.modelType);
    return types;
}

}  // namespace fovea
