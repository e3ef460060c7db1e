// SmolVLM 2 (Marafioti et al. 2025).
#include "fovea/catalog.h"
#include "nn/idefics_model.h"

namespace fovea {

void add_smolvlm(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"smolvlm", "SmolVLM", "SmolVLM 2: Idefics3 made small, for pictures and clips (Marafioti et al. 2025).", {}};
    entry.modelTypes = {"smolvlm"};
    entry.architectures = {"SmolVLMForConditionalGeneration"};
    entry.load = [](const ModelSource& source, const LoadOptions& options, const JobContext& job) {
        return loadIdefics("smolvlm", source, options, job);
    };
    catalog.add(std::move(entry));
}

}  // namespace fovea
