// LLaVA 1.5, its interleave variants and VipLLaVA: one view a picture, by CLIP's or SigLIP's processor.
#include <nlohmann/json.hpp>

#include "io/visual/one_view.h"
#include "io/visual/visual_settings.h"

namespace fovea {
namespace {

using Json = nlohmann::json;

// Files from before the processor knew these numbers leave them out; then config.json says what it makes.
void readFeatureNumbers(const VisualFiles& files, LayoutRules& layout) {
    const bool old = processorNumber(files, "patch_size", 0, 1024) == 0;
    layout.patchSize = processorNumber(files, "patch_size", towerPatchSize(files, 14), 1024);
    layout.dropFirst = settingText(files, "vision_feature_select_strategy", "default") == "default";
    layout.classTokens =
        processorNumber(files, "num_additional_image_tokens", old && layout.dropFirst ? 1 : 0, 64, 0);
}

}  // namespace

std::unique_ptr<VisualProcessor> makeLlava(const VisualFiles& files, std::string_view modelType) {
    LayoutRules layout;
    layout.scheme = LayoutRules::Scheme::Plain;
    layout.imageSlot = layout.imageToken =
        tokenNamed(files, "image_token", settingText(files, "image_token", "<image>"));
    readFeatureNumbers(files, layout);

    constexpr const char* kAccepted = "CLIPImageProcessor LlavaImageProcessor SiglipImageProcessor";
    const Json& given = objectOf(files.image, files.imageFile);
    const ProcessorKeys keys(given, files.imageFile);
    checkClass(keys, kAccepted);
    const std::string name =
        keys.text("image_processor_type").value_or(modelType == "llava" ? "Llava" : "CLIP");
    auto pad = OneViewProcessor::Pad::None;
    VisualFiles own = files;
    if (name.starts_with("Llava") && !files.image.is_null()) {
        bool toSquare = false;
        keys.flag("do_pad", toSquare);
        if (toSquare) pad = OneViewProcessor::Pad::ToSquare;
        for (const char* key : {"do_pad", "pad_size", "image_processor_type", "feature_extractor_type"})
            own.image.erase(key);
    }
    return std::make_unique<OneViewProcessor>(oneViewSettings(own, kAccepted, "CLIPImageProcessor"), pad,
                                              std::move(layout));
}

}  // namespace fovea
