#include "nn/vlm_source.h"

#include "nn/decoder_config.h"
#include "nn/generation_config.h"

namespace fovea {

VlmText vlmText(const ConfigView& config, const std::string& fallbackType) {
    if (!config.has("text_config")) return {config, fallbackType};
    nlohmann::json text = config.json().at("text_config");
    // PaliGemma's mask comes from its inputs; the switch is no property of its decoder.
    if (text.is_object()) text.erase("use_bidirectional_attention");
    ConfigView view(std::move(text), config.section("text_config").source());
    const std::string type = view.modelType().empty() ? fallbackType : view.modelType();
    return {std::move(view), type};
}

DecoderSpec vlmDecoder(const ModelSource& source, const VlmText& text, const VlmPaths& paths, bool tied) {
    DecoderPaths where;
    where.prefix = paths.text;
    where.head = paths.head;
    where.headStored = source.weights().contains(paths.head + ".weight");
    DecoderSpec spec = readDecoder(text.type, text.config, where);
    const bool inText = text.config.boolean("tie_word_embeddings", false);
    spec.tied = !where.headStored || inText || source.config().boolean("tie_word_embeddings", tied);
    return spec;
}

std::int64_t vlmTokenId(const ConfigView& config, const char* keys, std::int64_t fallback) {
    return config.integer(keys, fallback, {0, 1 << 26});
}

std::shared_ptr<const Model> loadVlm(const std::string& family, VlmParts parts, const ModelSource& source,
                                     const LoadOptions& options, const JobContext& job, RawPrompt raw) {
    parts.prompts = std::make_shared<const VlmPrompts>(source.files().folder, source.identity().modelType,
                                                       source.config().json(), raw);
    parts.endTokens = endTokensOf(source);
    parts.rules = generationRulesOf(source, parts.decoder.vocabulary);
    if (parts.decoder.tied) parts.ignored.push_back(parts.decoder.names.head + ".weight");
    auto model = std::make_shared<VlmModel>(std::move(parts));
    model->load(family, source, options, job);
    return model;
}

}  // namespace fovea
