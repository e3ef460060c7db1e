// Gemma 2 (Gemma Team 2024): capped logits, norms on both sides, every other block with a window.
#include "fovea/catalog.h"
#include "nn/language_model.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadGemma2(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    return loadLanguageModel("gemma2", source, options, job);
}

}  // namespace

void add_gemma2(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"gemma2", "Gemma 2", "Gemma 2: capped logits, every other block with a window (Gemma Team 2024).", {}};
    entry.modelTypes = {"gemma2"};
    entry.architectures = {"Gemma2Model", "Gemma2ForCausalLM"};
    entry.load = loadGemma2;
    catalog.add(std::move(entry));
}

}  // namespace fovea
