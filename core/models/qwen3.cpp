// Qwen 3 (Yang et al. 2025): norms on query and key.
#include "fovea/catalog.h"
#include "nn/language_model.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadQwen3(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    return loadLanguageModel("qwen3", source, options, job);
}

}  // namespace

void add_qwen3(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"qwen3", "Qwen3", "Qwen 3: norms on query and key (Yang et al. 2025).", {}};
    entry.modelTypes = {"qwen3"};
    entry.architectures = {"Qwen3Model", "Qwen3ForCausalLM"};
    entry.load = loadQwen3;
    catalog.add(std::move(entry));
}

}  // namespace fovea
