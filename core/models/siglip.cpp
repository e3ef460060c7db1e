// SigLIP: Image and text towers trained with a sigmoid loss; attention pooling (Zhai et al. 2023).
#include "fovea/catalog.h"
#include "nn/siglip_parts.h"

namespace fovea {

void add_siglip(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"siglip",
                  "SigLIP",
                  "Image and text towers trained with a sigmoid loss; attention pooling (Zhai et al. 2023).",
                  {}};
    entry.modelTypes = {"siglip", "siglip_vision_model"};
    entry.architectures = {"SiglipModel", "SiglipVisionModel", "SiglipForImageClassification"};
    entry.load = [](const ModelSource& source, const LoadOptions& options, const JobContext& job) {
        return loadSiglip({"siglip", "Siglip", false}, source, options, job);
    };
    catalog.add(std::move(entry));
}

}  // namespace fovea
