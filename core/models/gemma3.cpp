// Gemma 3 with pictures (Gemma Team 2025).
#include "fovea/catalog.h"
#include "nn/gemma_family.h"
#include "nn/vlm_source.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadGemma3(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    const ConfigView& config = source.config();
    const VlmPaths paths = llavaPaths(source);
    VlmParts parts;
    parts.decoder = vlmDecoder(source, vlmText(config, "gemma3_text"), paths, true);
    parts.decoder.finalSoftcap = 0;  // the reference's class with pictures does not cap
    parts.tokens.image = vlmTokenId(config, "image_token_id|image_token_index", 262144);
    parts.tower = std::make_unique<PictureTower>(gemma3Tower(config, paths, parts.decoder.hidden));
    parts.family = std::make_unique<Gemma3Pictures>();
    parts.ignored = {paths.vision + "head.*"};
    return loadVlm("gemma3", std::move(parts), source, options, job);
}

}  // namespace

void add_gemma3(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"gemma3", "Gemma 3", "SigLIP features, averaged to 256 a picture, in a Gemma 3 (Gemma Team 2025).", {}};
    entry.modelTypes = {"gemma3"};
    entry.architectures = {"Gemma3ForConditionalGeneration"};
    entry.load = loadGemma3;
    catalog.add(std::move(entry));
}

}  // namespace fovea
