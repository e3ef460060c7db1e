#pragma once

#include <vector>

#include "fovea/generation_rules.h"
#include "nn/model_source.h"

namespace fovea {

/// Tokens that end an answer: eos_token_id (one or several) of generation_config.json; where there is no such file, of
/// config.json or its text_config. Empty where it says none. Throws Error (Input) for what is no token id.
std::vector<int> endTokensOf(const ModelSource& source);

/// What generation_config.json asks of answers over so many tokens; nothing where there is no such file. Throws Error
/// (Input) for values of a wrong type or range.
GenerationRules generationRulesOf(const ModelSource& source, std::int64_t vocabulary);

/// The same of a configuration that is read.
GenerationRules readGenerationRules(const ConfigView& config, std::int64_t vocabulary);

/// eos_token_id of a configuration; -1 stands for none.
std::vector<int> readEndTokens(const ConfigView& config);

}  // namespace fovea
