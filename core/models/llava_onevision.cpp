// LLaVA-OneVision (Li et al. 2024): SigLIP over a grid of crops, shrunk where it is too large.
#include "fovea/catalog.h"
#include "nn/llava_family.h"
#include "nn/vlm_source.h"

namespace fovea {
namespace {

using Sizes = std::vector<std::pair<std::int64_t, std::int64_t>>;

Sizes defaultGrids() {
    Sizes grids;
    for (std::int64_t rows = 1; rows <= 6; ++rows)
        for (std::int64_t columns = 1; columns <= 6; ++columns) grids.emplace_back(384 * rows, 384 * columns);
    return grids;
}

std::int64_t mostCrops(const ConfigView& config) {
    constexpr const char* key = "vision_aspect_ratio";
    const std::string text = config.text(key, "anyres_max_9");
    const std::string number = text.starts_with("anyres_max_") ? text.substr(11) : "";
    if (number.empty() || number.size() > 4 || number.find_first_not_of("0123456789") != std::string::npos || std::stoll(number) < 1)
        config.fail(key, "anyres_max_N", "\"" + text.substr(0, 60) + "\"");
    return std::stoll(number);
}

std::shared_ptr<const Model> loadLlavaOnevision(const ModelSource& source, const LoadOptions& options,
                                                const JobContext& job) {
    const ConfigView& config = source.config();
    const VlmPaths paths = llavaPaths(source);
    VlmParts parts;
    parts.decoder = vlmDecoder(source, vlmText(config, "qwen2"), paths, false);
    parts.tokens = {vlmTokenId(config, "image_token_id|image_token_index", 151646),
                    vlmTokenId(config, "video_token_id|video_token_index", 151647)};
    PictureTowerSpec tower = llavaTower(config, paths, parts.decoder.hidden, {"siglip_vision_model", -1, "full"});
    parts.family = std::make_unique<OnevisionPictures>(
        AnyResolutionPictures(tower.tower.imageHeight, readPinpoints(config, defaultGrids()),
                              paths.root + "image_newline", parts.decoder.hidden),
        mostCrops(config), parts.tokens);
    parts.tower = std::make_unique<PictureTower>(std::move(tower));
    parts.ignored = {paths.vision + "post_layernorm.*", paths.vision + "head.*"};
    return loadVlm("llava_onevision", std::move(parts), source, options, job);
}

}  // namespace

void add_llava_onevision(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"llava_onevision", "LLaVA-OneVision", "LLaVA-NeXT on SigLIP and Qwen2, for one picture in fine detail, several, or a film (Li et al. 2024).", {}};
    entry.modelTypes = {"llava_onevision"};
    entry.architectures = {"LlavaOnevisionForConditionalGeneration"};
    entry.load = loadLlavaOnevision;
    catalog.add(std::move(entry));
}

}  // namespace fovea
