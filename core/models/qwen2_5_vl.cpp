// Qwen2.5-VL (Bai et al. 2025).
#include "fovea/catalog.h"
#include "nn/qwen_family.h"
#include "nn/vlm_source.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadQwen25Vl(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    const ConfigView& config = source.config();
    const VlmPaths paths = qwenPaths(source);
    VlmParts parts;
    parts.decoder = vlmDecoder(source, vlmText(config, "qwen2_5_vl_text"), paths, false);
    parts.tokens = {vlmTokenId(config, "image_token_id", 151655), vlmTokenId(config, "video_token_id", 151656)};
    QwenTowerSpec tower = qwen25Tower(config.section("vision_config"), paths.vision);
    QwenForm form{parts.tokens, tower.merge};
    form.tokensPerSecond = config.section("vision_config").integer("tokens_per_second", 4, {1, 1 << 20});
    parts.family = std::make_unique<QwenPictures>(form);
    parts.tower = std::make_unique<QwenTower>(std::move(tower));
    return loadVlm("qwen2_5_vl", std::move(parts), source, options, job);
}

}  // namespace

void add_qwen2_5_vl(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"qwen2_5_vl", "Qwen2.5-VL", "Qwen2-VL with windows in most blocks of the vision tower (Bai et al. 2025).", {}};
    entry.modelTypes = {"qwen2_5_vl"};
    entry.architectures = {"Qwen2_5_VLForConditionalGeneration"};
    entry.load = loadQwen25Vl;
    catalog.add(std::move(entry));
}

}  // namespace fovea
