#pragma once

#include <string>
#include <string_view>

#include "io/hf_config.h"
#include "nn/decoder_spec.h"

namespace fovea {

/// Where a decoder's weights lie in the files.
struct DecoderPaths {
    std::string prefix = "model.";  ///< before "layers.0. ...": "language_model.model.", ...
    std::string head = "lm_head";   ///< empty for a bare model
    bool headStored = true;         ///< the files hold the head; else it is the token embedding
};

/// Reads the text configuration of a model type (llama, mistral, qwen2, qwen3, gemma, gemma2, gemma3_text, gpt2, and
/// the text sides qwen2_vl_text, qwen2_5_vl_text and qwen3_vl_text) in the spellings of every era, with the reference
/// class's defaults. Throws Error (Input) for what cannot be built.
DecoderSpec readDecoder(std::string_view modelType, const ConfigView& config, const DecoderPaths& paths);

/// Reads rotary parameters: rope_theta and rope_scaling beside the sizes, or rope_parameters; `part` names one of
/// several sets ("full_attention", "sliding_attention"), empty where there is one.
RopeSpec readRope(const ConfigView& config, std::string_view part, const RopeSpec& defaults);

}  // namespace fovea
