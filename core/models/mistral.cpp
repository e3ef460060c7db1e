// Mistral (Jiang et al. 2023): a Llama whose queries see a window of keys.
#include "fovea/catalog.h"
#include "nn/language_model.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadMistral(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    return loadLanguageModel("mistral", source, options, job);
}

}  // namespace

void add_mistral(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"mistral", "Mistral", "Mistral 7B: Llama with a sliding window (Jiang et al. 2023).", {}};
    entry.modelTypes = {"mistral"};
    entry.architectures = {"MistralModel", "MistralForCausalLM"};
    entry.load = loadMistral;
    catalog.add(std::move(entry));
}

}  // namespace fovea
