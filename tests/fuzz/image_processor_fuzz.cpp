#include <string_view>

#include "fovea/error.h"
#include "fovea/image_processor.h"

/// Any text as a preprocessor_config.json; what parses processes a small picture, unless its sizes would take
/// long.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const char* types[] = {"vit", "clip", "dinov2", "dinov3_vit", "siglip2", "timm", ""};
    try {
        const auto processor = fovea::ImageProcessor::fromText(text, types[data[0] % 7]);
        const auto& settings = processor.settings();
        processor.describe();
        for (int side : {settings.height, settings.width, settings.cropHeight, settings.cropWidth,
                         settings.padHeight, settings.padWidth})
            if (side > 512) return 0;
        if (settings.maxPatches > 1024 || settings.patchSize > 64) return 0;
        fovea::Pixels picture(7, 5);
        for (std::size_t i = 0; i < picture.rgb.size(); ++i)
            picture.rgb[i] = static_cast<std::uint8_t>(i * 37);
        const auto image = processor.process(picture);
        const std::size_t values =
            image.isPatches()
                ? static_cast<std::size_t>(image.maxPatches) *
                      static_cast<std::size_t>(image.patchSize * image.patchSize * 3)
                : static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3;
        if (image.values.size() != values) __builtin_trap();
    } catch (const fovea::Error&) {
    }
    return 0;
}
