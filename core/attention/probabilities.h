#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "attention/attention_operator.h"

namespace fovea {

/// The edit of a site with token indices turned into row and column positions; factors whose tokens were all
/// pruned are gone.
SiteEdit resolvePositions(const SiteEdit& edit, const std::vector<int>& queryTokens,
                          const std::vector<int>& keyTokens);

/// Probabilities of a block of rows, [heads, rows, key], in fp32 (float64 stays): softmax of the logits
/// divided by the temperature, then the group factors in order, then the head gains. `edit` holds positions
/// and may be null. Differentiable; nothing is changed in place.
at::Tensor blockProbabilities(const AttentionOperator& op, const AttentionCall& call, const SiteEdit* edit,
                              const RowBlock& block);

/// Softmax over the keys; a row whose keys are all masked is zero, as in the fused routes, instead of NaN.
/// Differentiable.
at::Tensor maskedSoftmax(const AttentionCall& call, const at::Tensor& logits);

/// The heads of a call that an edit recomputes through its probabilities (temperature or factors), sorted.
std::vector<std::int64_t> recomputedHeads(const SiteEdit& edit, std::int64_t heads);

}  // namespace fovea
