// Llama and its relatives (Touvron et al. 2023): SmolLM2, TinyLlama, Vicuna.
#include "fovea/catalog.h"
#include "nn/language_model.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadLlama(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    return loadLanguageModel("llama", source, options, job);
}

}  // namespace

void add_llama(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"llama", "Llama", "Llama 1 to 3, TinyLlama, SmolLM2 (Touvron et al. 2023).", {}};
    entry.modelTypes = {"llama"};
    entry.architectures = {"LlamaModel", "LlamaForCausalLM"};
    entry.load = loadLlama;
    catalog.add(std::move(entry));
}

}  // namespace fovea
