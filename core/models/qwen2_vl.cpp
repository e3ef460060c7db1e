// Qwen2-VL (Wang et al. 2024).
#include "fovea/catalog.h"
#include "nn/qwen_family.h"
#include "nn/vlm_source.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadQwen2Vl(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    const ConfigView& config = source.config();
    const VlmPaths paths = qwenPaths(source);
    VlmParts parts;
    parts.decoder = vlmDecoder(source, vlmText(config, "qwen2_vl_text"), paths, false);
    parts.tokens = {vlmTokenId(config, "image_token_id", 151655), vlmTokenId(config, "video_token_id", 151656)};
    QwenTowerSpec tower = qwen2Tower(config.section("vision_config"), paths.vision);
    QwenForm form{parts.tokens, tower.merge};
    parts.family = std::make_unique<QwenPictures>(form);
    parts.tower = std::make_unique<QwenTower>(std::move(tower));
    return loadVlm("qwen2_vl", std::move(parts), source, options, job);
}

}  // namespace

void add_qwen2_vl(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"qwen2_vl", "Qwen2-VL", "Pictures of any size with positions of time, row and column (Wang et al. 2024).", {}};
    entry.modelTypes = {"qwen2_vl"};
    entry.architectures = {"Qwen2VLForConditionalGeneration"};
    entry.load = loadQwen2Vl;
    catalog.add(std::move(entry));
}

}  // namespace fovea
