#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "attention/segments.h"

namespace fovea {

/// Whether an index [query, columns] of a trace file says a key of its own for each query: windows or gathered
/// keys, and not one list of tokens that pruning left.
bool hasKeysOfItsOwn(const at::Tensor& index);

/// The windows that an index [query, columns] (tokens, -1 for padding) describes, where they divide the tokens;
/// else null.
std::shared_ptr<const AttentionSegments> segmentsOf(const at::Tensor& index);

/// Probabilities [heads, query, columns] brought to one column a token, [heads, query, tokens]; zero where a
/// query has no such key. Throws Error (Input) for indices that are no tokens, Error (Memory) where the map
/// would be too large.
at::Tensor spread(const at::Tensor& probs, const at::Tensor& index, std::int64_t tokens);

}  // namespace fovea
