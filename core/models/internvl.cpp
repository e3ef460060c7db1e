// InternVL 2.5 and 3 in the format of transformers (Chen et al. 2024; Zhu et al. 2025).
#include "fovea/catalog.h"
#include "nn/tiled_family.h"
#include "nn/vlm_source.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadInternvl(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    const ConfigView& config = source.config();
    const VlmPaths paths = llavaPaths(source);
    VlmParts parts;
    parts.decoder = vlmDecoder(source, vlmText(config, "qwen2"), paths, true);
    parts.tokens.image = vlmTokenId(config, "image_token_id|image_token_index", 151667);
    parts.tower = std::make_unique<PictureTower>(internvlTower(config, paths, parts.decoder.hidden));
    parts.family = std::make_unique<RunOfTiles>(parts.tokens);
    parts.ignored = {paths.vision + "layernorm.*", paths.vision + "embeddings.mask_token"};
    return loadVlm("internvl", std::move(parts), source, options, job);
}

}  // namespace

void add_internvl(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"internvl", "InternVL", "A vision transformer over tiles, four patches a token, in a language model (Chen et al. 2024).", {}};
    entry.modelTypes = {"internvl"};
    entry.architectures = {"InternVLForConditionalGeneration"};
    entry.load = loadInternvl;
    catalog.add(std::move(entry));
}

}  // namespace fovea
