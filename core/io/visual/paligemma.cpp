// PaliGemma 1 and 2: SigLIP's processor.
#include "fovea/error.h"
#include "io/visual/one_view.h"
#include "io/visual/visual_settings.h"

namespace fovea {

std::unique_ptr<VisualProcessor> makePaliGemma(const VisualFiles& files) {
    LayoutRules layout;
    layout.scheme = LayoutRules::Scheme::Plain;
    layout.imageSlot = layout.imageToken = tokenNamed(files, "image_token", "<image>");
    layout.patchSize = towerPatchSize(files, 14);
    const ProcessorKeys keys(objectOf(files.image, files.imageFile), files.imageFile);
    keys.count("image_seq_length", layout.tokensPerTile, 1 << 20);
    return std::make_unique<OneViewProcessor>(
        oneViewSettings(files, "SiglipImageProcessor", "SiglipImageProcessor"), OneViewProcessor::Pad::None,
        std::move(layout));
}

}  // namespace fovea
