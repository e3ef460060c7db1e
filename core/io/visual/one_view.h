#pragma once

#include <utility>

#include "fovea/image_processor.h"
#include "io/visual/families.h"

namespace fovea {

/// Families that see each picture once: resize, centre crop, rescale, normalise.
class OneViewProcessor final : public VisualProcessor {
public:
    /// The square a picture is padded to before anything else (LlavaImageProcessor with do_pad).
    enum class Pad { None, ToSquare };
    OneViewProcessor(ImageProcessor pixels, Pad pad, LayoutRules layout);

    VisualInput process(std::span<const Pixels> images) const override;
    std::string describe() const override;

private:
    ImageProcessor m_pixels;
    Pad m_pad;
};

/// The settings of a family that sees each picture once; `accepted` as checkClass has it, `fallback` for
/// files that name no class. Without a file: the class's defaults at the image_size of config.json, with a
/// notice.
ImageProcessor oneViewSettings(const VisualFiles& files, std::string_view accepted,
                               std::string_view fallback);

}  // namespace fovea
