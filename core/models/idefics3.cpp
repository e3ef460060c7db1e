// Idefics3 and the first SmolVLM (Laurencon et al. 2024; Marafioti et al. 2025).
#include "fovea/catalog.h"
#include "nn/idefics_model.h"

namespace fovea {

void add_idefics3(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"idefics3", "Idefics3", "SigLIP features of tiles, shuffled into few tokens, in a Llama (Laurencon et al. 2024).", {}};
    entry.modelTypes = {"idefics3"};
    entry.architectures = {"Idefics3ForConditionalGeneration"};
    entry.load = [](const ModelSource& source, const LoadOptions& options, const JobContext& job) {
        return loadIdefics("idefics3", source, options, job);
    };
    catalog.add(std::move(entry));
}

}  // namespace fovea
