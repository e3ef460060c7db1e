// GPT-2 (Radford et al. 2019): learned positions, matrices stored the other way round.
#include "fovea/catalog.h"
#include "nn/language_model.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadGpt2(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    return loadLanguageModel("gpt2", source, options, job);
}

}  // namespace

void add_gpt2(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"gpt2", "GPT-2", "GPT-2 and its distilled versions (Radford et al. 2019).", {}};
    entry.modelTypes = {"gpt2"};
    entry.architectures = {"GPT2Model", "GPT2LMHeadModel"};
    entry.load = loadGpt2;
    catalog.add(std::move(entry));
}

}  // namespace fovea
