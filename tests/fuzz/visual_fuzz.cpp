#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/error.h"
#include "fovea/visual_processor.h"
#include "io/json_file.h"
#include "io/visual/visual_files.h"

namespace {

using Json = nlohmann::json;

// Only small views are computed: every number small, and no default size left in.
bool isCheap(const Json& files) {
    const auto image = files.find("image");
    if (image == files.end() || !image->is_object() || !image->contains("size")) return false;
    const bool keyed = image->contains("image_grid_pinpoints") || image->contains("max_image_size") ||
                       image->contains("crop_size") || image->contains("min_patches") ||
                       image->contains("patch_size") || image->contains("max_image_tiles") ||
                       image->contains("do_pan_and_scan");
    const Json flat = files.flatten();
    return keyed && std::all_of(flat.begin(), flat.end(), [](const Json& value) {
               return !value.is_number() || (value.get<double>() <= 300 && value.get<double>() >= -300);
           });
}

void checkLayout(const std::vector<fovea::LayoutItem>& items, const fovea::VisionImage& image) {
    for (const fovea::LayoutItem& item : items) {
        const fovea::Rect& r = item.rect;
        const bool inside = r.x >= 0 && r.y >= 0 && r.x + r.width <= image.width + 1e-6 &&
                            r.y + r.height <= image.height + 1e-6;
        if (!inside || item.tile >= static_cast<int>(image.tiles.size())) __builtin_trap();
    }
}

void checkSizes(const fovea::VisualInput& input) {
    for (const auto& [name, tensor] : input.tensors) {
        std::size_t count = 1;
        for (std::int64_t side : tensor.shape) count *= static_cast<std::size_t>(side);
        if (tensor.floats.size() + tensor.integers.size() != count) __builtin_trap();
    }
}

fovea::Pixels picture(int width, int height) {
    fovea::Pixels made(width, height);
    for (std::size_t i = 0; i < made.rgb.size(); ++i) made.rgb[i] = static_cast<std::uint8_t>(i * 37);
    return made;
}

}  // namespace

/// Any texts as the files of a folder, for any family; what parses processes small pictures, unless its sizes
/// would take long.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    static const std::vector<std::string> types = fovea::VisualProcessor::supportedModelTypes();
    const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    try {
        const Json files = fovea::parseJson(text, "files");
        if (!files.is_object()) return 0;
        fovea::VisualFiles parsed;
        const std::array<std::pair<const char*, Json*>, 5> places{{{"image", &parsed.image},
                                                                   {"video", &parsed.video},
                                                                   {"processor", &parsed.processor},
                                                                   {"tokenizer", &parsed.tokenizer},
                                                                   {"config", &parsed.config}}};
        for (const auto& [key, target] : places)
            if (files.contains(key)) *target = files[key];
        const auto processor = fovea::VisualProcessor::fromFiles(parsed, types[data[0] % types.size()]);
        processor->describe();
        if (!isCheap(files)) return 0;
        const std::array<fovea::Pixels, 2> images{picture(17, 5), picture(6, 13)};
        for (std::size_t count : {1, 2}) {
            const fovea::VisualInput input = processor->process(std::span(images.data(), count));
            checkSizes(input);
            for (const fovea::VisionImage& image : input.images)
                checkLayout(fovea::imageLayout(processor->layout(), image), image);
        }
        const std::vector<fovea::Pixels> frames(3, images[0]);
        const fovea::VisualInput input = processor->processVideo(frames);
        checkSizes(input);
        checkLayout(fovea::videoLayout(processor->layout(), input.videos.at(0)), input.videos[0]);
    } catch (const fovea::Error&) {
    }
    return 0;
}
