// Text models of Gemma 3 (Gemma Team 2025): five blocks with a window for one without.
#include "fovea/catalog.h"
#include "nn/language_model.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadGemma3Text(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    return loadLanguageModel("gemma3_text", source, options, job);
}

}  // namespace

void add_gemma3_text(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"gemma3_text", "Gemma 3 text", "The text models of Gemma 3 (Gemma Team 2025).", {}};
    entry.modelTypes = {"gemma3_text"};
    entry.architectures = {"Gemma3TextModel", "Gemma3ForCausalLM"};
    entry.load = loadGemma3Text;
    catalog.add(std::move(entry));
}

}  // namespace fovea
