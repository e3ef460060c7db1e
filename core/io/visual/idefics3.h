#pragma once

#include "io/visual/canvas.h"
#include "io/visual/families.h"
#include "io/visual/visual_settings.h"

namespace fovea {

/// What Idefics3's and SmolVLM's image processors read.
struct Idefics3Settings {
    ImageProcessor::Settings pixels;
    int longest = 4 * 364;  ///< the longer side before tiles are cut; 0: exactly pixels.width x pixels.height
    int tile = 364;         ///< side of a tile
    bool split = true;
    bool mask = true;  ///< do_pad: pixel_attention_mask beside the values
};

Idefics3Settings readIdefics3(const VisualFiles& files, std::string_view className);
LayoutRules idefics3Layout(const VisualFiles& files);
/// The longer side to `longest` and the shorter to the even number above, both at most 4096.
struct LongestSize {
    double width = 0;
    double height = 0;
};
LongestSize longestSize(double width, double height, double longest);

/// A picture as one tile, or as tiles in rows and columns and then the whole picture.
class Idefics3Processor : public VisualProcessor {
public:
    Idefics3Processor(Idefics3Settings settings, LayoutRules layout);

    VisualInput process(std::span<const Pixels> images) const override;
    std::string describe() const override;

private:
    void addTiles(const Pixels& picture, ViewList& views) const;

    Idefics3Settings m_settings;
    ImageProcessor m_pixels;
};

}  // namespace fovea
