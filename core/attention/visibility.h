#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "attention/attention_operator.h"

namespace fovea {

/// A rectangle of the [query, key] plane of a call.
struct MaskBlock {
    std::int64_t queryBegin = 0, queryEnd = 0;
    std::int64_t keyBegin = 0, keyEnd = 0;
};

/// The keys that a causal call hides from queries of a block: bool [query, key].
at::Tensor hiddenKeys(const AttentionCall& call, const MaskBlock& block);

/// The same call without a causal mask that hides nothing (a last query sees every key).
AttentionCall withoutIdleMask(const AttentionCall& call);

/// Whether the mask of a causal call is the one that fused operators know: square, from position 0, every earlier key.
bool isPlainCausal(const AttentionCall& call);

/// Cuts a causal call into blocks of rows with the keys that any of their queries sees, so that masks stay small and
/// keys outside a window cost nothing. Every query must see a key.
std::vector<MaskBlock> rowBlocks(const AttentionCall& call);

/// The part of a causal call that a block is about, with its mask as a bias.
AttentionCall blockCall(const AttentionCall& call, const MaskBlock& block);

}  // namespace fovea
