// SigLIP 2: SigLIP for pictures of any aspect ratio, as padded patches (Tschannen et al. 2025).
#include "fovea/catalog.h"
#include "nn/siglip_parts.h"

namespace fovea {

void add_siglip2(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"siglip2",
                  "SigLIP 2",
                  "SigLIP for pictures of any aspect ratio, as padded patches (Tschannen et al. 2025).",
                  {}};
    entry.modelTypes = {"siglip2", "siglip2_vision_model"};
    entry.architectures = {"Siglip2Model", "Siglip2VisionModel", "Siglip2ForImageClassification"};
    entry.load = [](const ModelSource& source, const LoadOptions& options, const JobContext& job) {
        return loadSiglip({"siglip2", "Siglip2", true}, source, options, job);
    };
    catalog.add(std::move(entry));
}

}  // namespace fovea
