// LLaVA-NeXT (1.6): the whole picture, then its crops on the grid that fits it best.
#include <algorithm>

#include "io/visual/any_resolution.h"
#include "io/visual/families.h"

namespace fovea {
namespace {

class LlavaNextProcessor final : public VisualProcessor {
public:
    LlavaNextProcessor(AnyResolution rules, LayoutRules layout) : m_rules(std::move(rules)) {
        m_layout = std::move(layout);
        m_black = blackOf(m_rules.pixels.settings());
    }

    VisualInput process(std::span<const Pixels> images) const override {
        checkSomeImages(images);
        ViewList views(m_rules.pixels);
        std::size_t most = 0;
        for (const Pixels& picture : images) {
            addAnyResolution(m_rules, picture, views);
            most = std::max(most, views.images().back().tiles.size());
        }
        VisualInput out;
        out.tensors["pixel_values"] = views.padded(static_cast<std::int64_t>(most));
        out.tensors["image_sizes"] = imageSizes(images);
        out.images = std::move(views.images());
        return out;
    }

    std::string describe() const override { return m_rules.describe(); }

private:
    AnyResolution m_rules;
};

}  // namespace

std::unique_ptr<VisualProcessor> makeLlavaNext(const VisualFiles& files) {
    using Settings = ImageProcessor::Settings;
    Settings settings =
        visualDefaults("LlavaNextImageProcessor", 224, Resample::Bicubic, kClipMean, kClipDeviation);
    settings.rule = Settings::SizeRule::ShortestEdge;
    settings.doCrop = true;
    settings.cropHeight = settings.cropWidth = 224;
    const ProcessorKeys keys(objectOf(files.image, files.imageFile), files.imageFile);
    checkClass(keys, "LlavaNextImageProcessor");
    AnyResolution rules =
        readAnyResolution(keys, settings, {{336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008}});

    LayoutRules layout;
    layout.scheme = LayoutRules::Scheme::LlavaNext;
    layout.imageSlot = layout.imageToken =
        tokenNamed(files, "image_token", settingText(files, "image_token", "<image>"));
    const bool old = processorNumber(files, "patch_size", 0, 1024) == 0;
    layout.patchSize = processorNumber(files, "patch_size", towerPatchSize(files, 14), 1024);
    layout.dropFirst = settingText(files, "vision_feature_select_strategy", "default") == "default";
    layout.classTokens =
        processorNumber(files, "num_additional_image_tokens", old && layout.dropFirst ? 1 : 0, 64, 0);
    return std::make_unique<LlavaNextProcessor>(std::move(rules), std::move(layout));
}

}  // namespace fovea
