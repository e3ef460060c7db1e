// SmolVLM 2 (Marafioti et al. 2025).
#include "fovea/catalog.h"
#include "nn/tiled_family.h"
#include "nn/vlm_source.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadSmolvlm(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    const ConfigView& config = source.config();
    const VlmPaths paths = ideficsPaths(source);
    VlmParts parts;
    parts.decoder = vlmDecoder(source, vlmText(config, "llama"), paths, false);
    parts.tokens.image = vlmTokenId(config, "image_token_id|image_token_index", 128257);
    PictureTowerSpec tower = ideficsTower(config, paths, parts.decoder.hidden);
    parts.family = std::make_unique<IdeficsPictures>(parts.tokens, tower.tower.patches.height);
    parts.tower = std::make_unique<PictureTower>(std::move(tower));
    return loadVlm("smolvlm", std::move(parts), source, options, job);
}

}  // namespace

void add_smolvlm(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"smolvlm", "SmolVLM", "SmolVLM 2: Idefics3 made small, for pictures and clips (Marafioti et al. 2025).", {}};
    entry.modelTypes = {"smolvlm"};
    entry.architectures = {"SmolVLMForConditionalGeneration"};
    entry.load = loadSmolvlm;
    catalog.add(std::move(entry));
}

}  // namespace fovea
