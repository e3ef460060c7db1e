#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "fovea/generate.h"
#include "fovea/generation_rules.h"

namespace fovea {

/// The scores [vocabulary] that the next token is chosen by, from float logits [vocabulary], in the order of transformers:
/// repetition penalty, bans, forced tokens, suppressed tokens. They depend on ids alone; the logits themselves where no
/// rule applies.
at::Tensor ruledScores(const at::Tensor& logits, const GenerationRules& rules, const std::vector<int>& ends,
                       const AnswerPlace& place);

/// What is said where a model's generation_config.json asks for what is not done; empty where it does not.
std::string unfollowedNotice(const GenerationRules& rules, const Sampling& sampling);

}  // namespace fovea
