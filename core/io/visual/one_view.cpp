#include "io/visual/one_view.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "io/visual/canvas.h"
#include "io/visual/visual_settings.h"

namespace fovea {

using Json = nlohmann::json;

OneViewProcessor::OneViewProcessor(ImageProcessor pixels, Pad pad, LayoutRules layout)
    : m_pixels(std::move(pixels)), m_pad(pad) {
    m_layout = std::move(layout);
    m_notices = m_pixels.notices();
    m_black = blackOf(m_pixels.settings());
}

VisualInput OneViewProcessor::process(std::span<const Pixels> images) const {
    checkSomeImages(images);
    ViewList views(m_pixels);
    std::array<std::uint8_t, 3> mean{};
    for (std::size_t c = 0; c < 3; ++c) {
        // The reference truncates, and a value beyond a byte wraps there; such a mean is nonsense.
        mean[c] = static_cast<std::uint8_t>(std::clamp(m_pixels.settings().mean[c] * 255.0, 0.0, 255.0));
    }
    for (const Pixels& picture : images) {
        views.begin(picture);
        const Canvas whole = canvasOf(picture);
        const int side = std::max(picture.width, picture.height);
        if (m_pad == Pad::ToSquare && picture.width != picture.height) {
            views.add(cut(whole, {-((side - picture.width) / 2), -((side - picture.height) / 2), side, side},
                          mean));
        } else {
            views.add(whole);
        }
    }
    VisualInput out;
    out.images = std::move(views.images());
    out.tensors["pixel_values"] = std::move(views).tensor();
    return out;
}

std::string OneViewProcessor::describe() const {
    return m_pixels.describe() + (m_pad == Pad::ToSquare ? ", padded to a square first" : "");
}

ImageProcessor oneViewSettings(const VisualFiles& files, std::string_view accepted,
                               std::string_view fallback) {
    const Json& given = objectOf(files.image, files.imageFile);
    const ProcessorKeys keys(given, files.imageFile);
    checkClass(keys, accepted);
    Json config = given;
    if (!keys.find("image_processor_type") && !keys.find("feature_extractor_type"))
        config["image_processor_type"] = fallback;
    if (!files.image.is_null()) return ImageProcessor::fromJson(config, "", files.imageFile);
    if (const int side = configNumber(files, "vision_config", "image_size", 0, kMaxProcessorSide); side > 0) {
        config["size"] = side;
        config["crop_size"] = side;
        config["default_to_square"] = fallback != "CLIPImageProcessor";
    }
    const ImageProcessor made = ImageProcessor::fromJson(config, "", files.imageFile);
    return ImageProcessor(made.settings(),
                          {fmt::format("no preprocessor_config.json: using the defaults of {}", fallback)});
}

}  // namespace fovea
