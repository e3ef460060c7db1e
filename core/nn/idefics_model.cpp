#include "nn/idefics_model.h"

#include "nn/tiled_family.h"
#include "nn/vlm_source.h"

namespace fovea {

std::shared_ptr<const Model> loadIdefics(const std::string& family, const ModelSource& source,
                                         const LoadOptions& options, const JobContext& job) {
    const ConfigView& config = source.config();
    const VlmPaths paths = ideficsPaths(source);
    VlmParts parts;
    parts.decoder = vlmDecoder(source, vlmText(config, "llama"), paths, false);
    parts.tokens.image = vlmTokenId(config, "image_token_id|image_token_index", 128257);
    PictureTowerSpec tower = ideficsTower(config, paths, parts.decoder.hidden);
    parts.family = std::make_unique<IdeficsPictures>(parts.tokens, tower.tower.patches.height);
    parts.tower = std::make_unique<PictureTower>(std::move(tower));
    return loadVlm(family, std::move(parts), source, options, job);
}

}  // namespace fovea
