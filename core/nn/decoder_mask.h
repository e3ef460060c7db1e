#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fovea {

/// Which tokens of a sequence see which, beside the causal rule and a block's window.
struct DecoderMask {
    std::int64_t prefix = 0;  ///< tokens at the beginning that see each other in both directions (prefix-LM)
    at::Tensor visible;       // bool [n], false for padding; undefined: all
    at::Tensor groups;        // int64 [n]: tokens of the same group (>= 0) see each other in both directions, or undefined
    bool groupsInWindow = false;  ///< a window holds within groups, too (Gemma 3)
    at::Tensor segments;      // int64 [n]: tokens see only their own segment, or undefined

    /// Whether the causal rule, a window and the prefix say it all.
    bool plain() const { return !visible.defined() && !groups.defined() && !segments.defined(); }
};

/// The tokens that a pass of a block is about.
struct MaskTokens {
    at::Tensor queries, keys;  // int64, places in the sequence, ascending
};

/// Whether the fields of an AttentionCall (causal, windowLeft, prefix) can say what a block's queries see.
bool describable(const DecoderMask& mask, std::int64_t window, bool pruned);

/// The same as a bias [1, 1, queries, keys] that adds the type's lowest value to what is not seen, as the reference
/// does: a query that sees nothing then attends evenly.
at::Tensor maskBias(const DecoderMask& mask, std::int64_t window, const MaskTokens& tokens, at::ScalarType dtype);

/// Segments of packed sequences: a position that does not follow on the one before it begins a new one, as in the
/// reference; undefined where there is one segment.
at::Tensor packedSegments(const at::Tensor& positions);

}  // namespace fovea
