// LLaVA 1.5 and its relatives of one view a picture (Liu et al. 2023; 2024).
#include "fovea/catalog.h"
#include "nn/llava_family.h"
#include "nn/vlm_source.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadLlava(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    const ConfigView& config = source.config();
    const VlmPaths paths = llavaPaths(source);
    VlmParts parts;
    parts.decoder = vlmDecoder(source, vlmText(config, "llama"), paths, false);
    parts.tokens.image = vlmTokenId(config, "image_token_id|image_token_index", 32000);
    parts.tower = std::make_unique<PictureTower>(
        llavaTower(config, paths, parts.decoder.hidden, {"clip_vision_model", -2, "default"}));
    parts.family = std::make_unique<PlainPictures>();
    parts.ignored = {paths.vision + "post_layernorm.*", paths.vision + "head.*"};
    return loadVlm("llava", std::move(parts), source, options, job);
}

}  // namespace

void add_llava(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"llava", "LLaVA", "CLIP or SigLIP features through two matrices into a language model (Liu et al. 2023).", {}};
    entry.modelTypes = {"llava"};
    entry.architectures = {"LlavaForConditionalGeneration"};
    entry.load = loadLlava;
    catalog.add(std::move(entry));
}

}  // namespace fovea
