// BLIP for captions and questions: one view a picture, read through cross-attention.
#include "io/visual/one_view.h"
#include "io/visual/visual_settings.h"

namespace fovea {

std::unique_ptr<VisualProcessor> makeBlip(const VisualFiles& files) {
    LayoutRules layout;
    layout.patchSize = towerPatchSize(files, 16);
    return std::make_unique<OneViewProcessor>(
        oneViewSettings(files, "BlipImageProcessor", "BlipImageProcessor"), OneViewProcessor::Pad::None,
        std::move(layout));
}

}  // namespace fovea
