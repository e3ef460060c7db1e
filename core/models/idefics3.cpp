// Idefics3 and the first SmolVLM (Laurencon et al. 2024; Marafioti et al. 2025).
#include "fovea/catalog.h"
#include "nn/tiled_family.h"
#include "nn/vlm_source.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadIdefics3(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    const ConfigView& config = source.config();
    const VlmPaths paths = ideficsPaths(source);
    VlmParts parts;
    parts.decoder = vlmDecoder(source, vlmText(config, "llama"), paths, false);
    parts.tokens.image = vlmTokenId(config, "image_token_id|image_token_index", 128257);
    PictureTowerSpec tower = ideficsTower(config, paths, parts.decoder.hidden);
    parts.family = std::make_unique<IdeficsPictures>(parts.tokens, tower.tower.patches.height);
    parts.tower = std::make_unique<PictureTower>(std::move(tower));
    return loadVlm("idefics3", std::move(parts), source, options, job);
}

}  // namespace

void add_idefics3(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"idefics3", "Idefics3", "SigLIP features of tiles, shuffled into few tokens, in a Llama (Laurencon et al. 2024).", {}};
    entry.modelTypes = {"idefics3"};
    entry.architectures = {"Idefics3ForConditionalGeneration"};
    entry.load = loadIdefics3;
    catalog.add(std::move(entry));
}

}  // namespace fovea
