#pragma once

#include <memory>
#include <string>

#include "nn/towers/tower_specs.h"
#include "nn/vlm_model.h"

namespace fovea {

/// The text section of a vision-language configuration (the whole of a flat one) and its type.
struct VlmText {
    ConfigView config;
    std::string type;  ///< as readDecoder takes it
};
VlmText vlmText(const ConfigView& config, const std::string& fallbackType);

/// The decoder of a vision-language model; `tied` is the reference's default for tie_word_embeddings.
DecoderSpec vlmDecoder(const ModelSource& source, const VlmText& text, const VlmPaths& paths, bool tied);

/// The id of a token that stands for pictures, by the spellings of its key; throws Error (Input) for no id.
std::int64_t vlmTokenId(const ConfigView& config, const char* keys, std::int64_t fallback);

/// Builds and loads the model.
std::shared_ptr<const Model> loadVlm(const std::string& family, VlmParts parts, const ModelSource& source,
                                     const LoadOptions& options, const JobContext& job,
                                     RawPrompt raw = RawPrompt::AsGiven);

}  // namespace fovea
