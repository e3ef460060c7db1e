// Qwen 2 and 2.5 (Yang et al. 2024): biases on query, key and value.
#include "fovea/catalog.h"
#include "nn/language_model.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadQwen2(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    return loadLanguageModel("qwen2", source, options, job);
}

}  // namespace

void add_qwen2(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"qwen2", "Qwen2", "Qwen 2 and 2.5 (Yang et al. 2024).", {}};
    entry.modelTypes = {"qwen2"};
    entry.architectures = {"Qwen2Model", "Qwen2ForCausalLM"};
    entry.load = loadQwen2;
    catalog.add(std::move(entry));
}

}  // namespace fovea
