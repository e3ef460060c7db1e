// PaliGemma 1 and 2 (Beyer et al. 2024; Steiner et al. 2024).
#include "fovea/catalog.h"
#include "nn/gemma_family.h"
#include "nn/vlm_source.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadPaligemma(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    const ConfigView& config = source.config();
    const VlmPaths paths = llavaPaths(source);
    VlmParts parts;
    parts.decoder = vlmDecoder(source, vlmText(config, "gemma"), paths, true);
    parts.decoder.finalSoftcap = 0;  // the reference's class leaves the cap of Gemma 2 out
    parts.tokens.image = vlmTokenId(config, "image_token_id|image_token_index", 256000);
    parts.tower = std::make_unique<PictureTower>(paligemmaTower(config, paths, parts.decoder.hidden));
    parts.family = std::make_unique<PaligemmaPictures>();
    parts.ignored = {paths.vision + "head.*"};
    return loadVlm("paligemma", std::move(parts), source, options, job, RawPrompt::Paligemma);
}

}  // namespace

void add_paligemma(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"paligemma", "PaliGemma", "SigLIP features before a prefix that a Gemma reads in both directions (Beyer et al. 2024).", {}};
    entry.modelTypes = {"paligemma"};
    entry.architectures = {"PaliGemmaForConditionalGeneration"};
    entry.load = loadPaligemma;
    catalog.add(std::move(entry));
}

}  // namespace fovea
