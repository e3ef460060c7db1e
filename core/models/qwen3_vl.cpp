// Qwen3-VL (Qwen Team 2025).
#include "fovea/catalog.h"
#include "nn/qwen_family.h"
#include "nn/vlm_source.h"

namespace fovea {
namespace {

std::shared_ptr<const Model> loadQwen3Vl(const ModelSource& source, const LoadOptions& options, const JobContext& job) {
    const ConfigView& config = source.config();
    const VlmPaths paths = qwenPaths(source);
    VlmParts parts;
    parts.decoder = vlmDecoder(source, vlmText(config, "qwen3_vl_text"), paths, false);
    parts.tokens = {vlmTokenId(config, "image_token_id", 151655), vlmTokenId(config, "video_token_id", 151656)};
    QwenTowerSpec tower = qwen3Tower(config.section("vision_config"), paths.vision);
    QwenForm form{parts.tokens, tower.merge};
    form.framesApart = true;
    parts.family = std::make_unique<QwenPictures>(form);
    parts.tower = std::make_unique<QwenTower>(std::move(tower));
    return loadVlm("qwen3_vl", std::move(parts), source, options, job);
}

}  // namespace

void add_qwen3_vl(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"qwen3_vl", "Qwen3-VL", "Qwen-VL whose decoder reads features of several depths (Qwen Team 2025).", {}};
    entry.modelTypes = {"qwen3_vl"};
    entry.architectures = {"Qwen3VLForConditionalGeneration"};
    entry.load = loadQwen3Vl;
    catalog.add(std::move(entry));
}

}  // namespace fovea
