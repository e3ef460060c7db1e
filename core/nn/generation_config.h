#pragma once

#include <vector>

#include "nn/model_source.h"

namespace fovea {

/// Tokens that end an answer: eos_token_id (one or several) of generation_config.json, else of config.json or its
/// text_config; empty where none says. Nothing else of generation_config.json counts. Throws Error (Input) for what is
/// no token id.
std::vector<int> endTokensOf(const ModelSource& source);

}  // namespace fovea
