// LLaVA-NeXT, that is LLaVA 1.6: the whole picture and a grid of crops (Liu et al. 2024).
#include "fovea/catalog.h"
#include "nn/llava_family.h"
#include "nn/vlm_source.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadLlavaNext(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    const ConfigView& config = source.config();
    const VlmPaths paths = llavaPaths(source);
    VlmParts parts;
    parts.decoder = vlmDecoder(source, vlmText(config, "llama"), paths, false);
    parts.tokens.image = vlmTokenId(config, "image_token_id|image_token_index", 32000);
    PictureTowerSpec tower =
        llavaTower(config, paths, parts.decoder.hidden, {"clip_vision_model", -2, "default"});
    parts.family = std::make_unique<AnyResolutionPictures>(
        tower.tower.imageHeight,
        readPinpoints(config, {{336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008}}),
        paths.root + "image_newline", parts.decoder.hidden);
    parts.tower = std::make_unique<PictureTower>(std::move(tower));
    parts.ignored = {paths.vision + "post_layernorm.*", paths.vision + "head.*"};
    return loadVlm("llava_next", std::move(parts), source, options, job);
}

}  // namespace

void add_llava_next(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"llava_next", "LLaVA-NeXT", "LLaVA with a grid of crops in the size that fits a picture best (Liu et al. 2024).", {}};
    entry.modelTypes = {"llava_next"};
    entry.architectures = {"LlavaNextForConditionalGeneration"};
    entry.load = loadLlavaNext;
    catalog.add(std::move(entry));
}

}  // namespace fovea
