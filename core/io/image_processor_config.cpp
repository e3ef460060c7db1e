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

namespace fovea {
namespace {

using Json = nlohmann::json;
using Settings = ImageProcessor::Settings;
using SizeRule = Settings::SizeRule;

constexpr int kMaxSide = 16384;
constexpr std::int64_t kMaxValues = 3 * (std::int64_t{1} << 25);

constexpr std::array<double, 3> kHalf{0.5, 0.5, 0.5};
constexpr std::array<double, 3> kImageNetMean{0.485, 0.456, 0.406};
constexpr std::array<double, 3> kImageNetDeviation{0.229, 0.224, 0.225};
constexpr std::array<double, 3> kClipMean{0.48145466, 0.4578275, 0.40821073};
constexpr std::array<double, 3> kClipDeviation{0.26862954, 0.26130258, 0.27577711};

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

/// The keys of one JSON object, with errors that name file and key.
class Keys {
public:
    Keys(const Json& object, std::string_view file) : m_object(object), m_file(file) {}

    [[noreturn]] void fail(std::string_view key, std::string_view expected, const Json& found) const {
        throw Error(fmt::format("{}: {}: expected {}, found {}", m_file, key, expected, describeJson(found)),
                    "compare the file with the one of the published checkpoint");
    }
    /// Null counts as missing, as in the reference.
    const Json* find(const char* key) const {
        const auto it = m_object.find(key);
        return it == m_object.end() || it->is_null() ? nullptr : &*it;
    }
    void flag(const char* key, bool& target) const {
        if (const Json* value = find(key)) {
            if (!value->is_boolean()) fail(key, "true or false", *value);
            target = value->get<bool>();
        }
    }
    double number(std::string_view key, const Json& value) const {
        if (!value.is_number()) fail(key, "a number", value);
        const double x = value.get<double>();
        if (!std::isfinite(x)) fail(key, "a finite number", value);
        return x;
    }
    int side(std::string_view key, const Json& value, int most = kMaxSide) const {
        const std::string expected = fmt::format("a whole number from 1 to {}", most);
        if (!value.is_number_integer()) fail(key, expected, value);
        if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(most)) {
            fail(key, expected, value);
        }
        const std::int64_t x = value.get<std::int64_t>();
        if (x < 1 || x > most) fail(key, expected, value);
        return static_cast<int>(x);
    }
    void channels(const char* key, std::array<double, 3>& target) const {
        const Json* value = find(key);
        if (!value) return;
        if (value->is_number()) {
            target.fill(number(key, *value));
            return;
        }
        if (!value->is_array() || value->size() != 3) fail(key, "a number or a list of 3 numbers", *value);
        for (std::size_t c = 0; c < 3; ++c) target[c] = number(fmt::format("{}[{}]", key, c), (*value)[c]);
    }
    void deviations(const char* key, std::array<double, 3>& target) const {
        channels(key, target);
        for (double x : target) {
            const float single = static_cast<float>(x);
            if (!(single > 0) || !std::isfinite(single)) fail(key, "numbers above zero", *find(key));
        }
    }
    std::optional<std::string> text(const char* key) const {
        const Json* value = find(key);
        if (!value) return std::nullopt;
        if (!value->is_string()) fail(key, "a text", *value);
        return value->get<std::string>();
    }
    const std::string& file() const { return m_file; }

private:
    const Json& m_object;
    std::string m_file;
};

Resample resampleNamed(const Keys& keys, std::string_view key, std::string name, const Json& value) {
    name.erase(0, name.rfind('.') + 1);  // "PILImageResampling.BICUBIC"; npos + 1 is 0
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    constexpr std::array<std::pair<const char*, Resample>, 6> kNames{{{"nearest", Resample::Nearest},
                                                                       {"lanczos", Resample::Lanczos},
                                                                       {"bilinear", Resample::Bilinear},
                                                                       {"bicubic", Resample::Bicubic},
                                                                       {"box", Resample::Box},
                                                                       {"hamming", Resample::Hamming}}};
    for (const auto& [known, resample] : kNames) {
        if (name == known) return resample;
    }
    keys.fail(key, "nearest, lanczos, bilinear, bicubic, box or hamming", value);
}

void readResample(const Keys& keys, const char* key, Resample& target) {
    const Json* value = keys.find(key);
    if (!value) return;
    if (value->is_string()) {
        target = resampleNamed(keys, key, value->get<std::string>(), *value);
        return;
    }
    if (!value->is_number_integer() || *value < 0 || *value > 5) {
        keys.fail(key, "a filter name or code from 0 (nearest) to 5 (hamming)", *value);
    }
    target = static_cast<Resample>(value->get<int>());
}

/// A size with both sides: one number, two numbers [height, width], or {"height", "width"}.
void readBothSides(const Keys& keys, const char* key, int& height, int& width) {
    const Json* value = keys.find(key);
    if (!value) return;
    if (value->is_number()) {
        height = width = keys.side(key, *value);
    } else if (value->is_array() && value->size() == 2) {
        height = keys.side(fmt::format("{}[0]", key), (*value)[0]);
        width = keys.side(fmt::format("{}[1]", key), (*value)[1]);
    } else if (value->is_object() && value->size() == 2 && value->contains("height") &&
               value->contains("width")) {
        height = keys.side(fmt::format("{}.height", key), (*value)["height"]);
        width = keys.side(fmt::format("{}.width", key), (*value)["width"]);
    } else {
        keys.fail(key, "a number, [height, width] or {\"height\", \"width\"}", *value);
    }
}

void readSize(const Keys& keys, bool defaultToSquare, Settings& s) {
    const Json* value = keys.find("size");
    if (!value || s.rule == SizeRule::MaxPatches) return;
    if (value->is_number() && !defaultToSquare) {
        s.rule = SizeRule::ShortestEdge;
        s.height = s.width = keys.side("size", *value);
        return;
    }
    if (!value->is_object()) {
        readBothSides(keys, "size", s.height, s.width);
        s.rule = SizeRule::Exact;
        return;
    }
    Json given = *value;  // the reference skips entries that are null
    for (auto it = given.begin(); it != given.end();) it = it->is_null() ? given.erase(it) : std::next(it);
    const auto has = [&given](const char* key) { return given.contains(key); };
    const auto side = [&](const char* key) { return keys.side(std::string("size.") + key, given[key]); };
    if (given.size() == 2 && has("height") && has("width")) {
        s.rule = SizeRule::Exact;
        s.height = side("height");
        s.width = side("width");
    } else if (given.size() == 1 && has("shortest_edge")) {
        s.rule = SizeRule::ShortestEdge;
        s.height = s.width = side("shortest_edge");
    } else if (given.size() == 2 && has("shortest_edge") && has("longest_edge")) {
        s.rule = SizeRule::ShortestWithLongest;
        s.height = side("shortest_edge");
        s.width = side("longest_edge");
    } else if (given.size() == 2 && has("max_height") && has("max_width")) {
        s.rule = SizeRule::FitInside;
        s.height = side("max_height");
        s.width = side("max_width");
    } else {
        keys.fail("size",
                  "{\"height\", \"width\"}, {\"shortest_edge\"}, {\"shortest_edge\", \"longest_edge\"} or "
                  "{\"max_height\", \"max_width\"}",
                  *value);
    }
}

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
    keys.flag("do_resize", s.doResize);
    readSize(keys, toSquare, s);
    readResample(keys, "resample", s.resample);
    keys.flag("do_center_crop", s.doCrop);
    readBothSides(keys, "crop_size", s.cropHeight, s.cropWidth);
    if (s.doCrop && s.cropHeight == 0) keys.fail("crop_size", "a size, since do_center_crop is true", Json());
    keys.flag("do_rescale", s.doRescale);
    if (const Json* factor = keys.find("rescale_factor")) {
        s.rescaleFactor = keys.number("rescale_factor", *factor);
        if (!(s.rescaleFactor > 0)) keys.fail("rescale_factor", "a number above zero", *factor);
    }
    keys.flag("do_normalize", s.doNormalize);
    keys.channels("image_mean", s.mean);
    keys.deviations("image_std", s.deviation);
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
    if (imageSize < 0 || imageSize > kMaxSide) {
        throw Error(fmt::format("image_size: expected 1 to {}, found {}", kMaxSide, imageSize));
    }
    Settings s = classNamed(family->className, "(default)").defaults;
    const bool dino = modelType.starts_with("dinov2");
    if (dino || modelType == "deit" || modelType == "vit_mae" || modelType.starts_with("swin")) {
        s.mean = kImageNetMean;
        s.deviation = kImageNetDeviation;
    }
    if (dino) s.height = s.width = 256;
    if (imageSize > 0 && s.rule != SizeRule::MaxPatches) {
        const int resized = s.doCrop ? std::min(kMaxSide, imageSize * s.height / s.cropHeight) : imageSize;
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
