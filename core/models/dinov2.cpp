// DINOv2 (Oquab et al. 2023).
#include "fovea/catalog.h"
#include "nn/dinov2_parts.h"

namespace fovea {

void add_dinov2(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"dinov2", "DINOv2", "Self-supervised vision transformer (Oquab et al. 2023).", {}};
    entry.modelTypes = {"dinov2"};
    entry.architectures = {"Dinov2Model", "Dinov2ForImageClassification", "Dinov2Backbone"};
    entry.load = [](const ModelSource& source, const LoadOptions& options, const JobContext& job) {
        return loadVisionModel("dinov2",
                               dinov2Parts(source, {"dinov2.", "Dinov2", 14, 0, PositionResize::Bicubic}),
                               source, options, job);
    };
    catalog.add(std::move(entry));
}

}  // namespace fovea
