// Gemma 1 (Gemma Team 2024): scaled embeddings, (1 + w) norms.
#include "fovea/catalog.h"
#include "nn/language_model.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadGemma(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    return loadLanguageModel("gemma", source, options, job);
}

}  // namespace

void add_gemma(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"gemma", "Gemma", "Gemma 1 (Gemma Team 2024).", {}};
    entry.modelTypes = {"gemma"};
    entry.architectures = {"GemmaModel", "GemmaForCausalLM"};
    entry.load = loadGemma;
    catalog.add(std::move(entry));
}

}  // namespace fovea
