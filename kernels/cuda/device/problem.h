// What every kernel is told about the problem: plain structures passed by value at launch.
#pragma once

#include <stdint.h>

namespace fovea::kernels::cuda {

/// A tensor [batch, heads, tokens, dim] on the device, strides in elements.
struct Operand {
    const void* data;
    int64_t strideB, strideH, strideT;
};

/// The keys [low, high) that one query may see.
struct Span {
    int32_t low, high;
};

/// One attention problem on the device; `negLse` is -log2(sum of exp) of every query, [batch * heads, tq].
struct Problem {
    Operand query, key, value, gradOutput;
    int32_t batch, qHeads, group, tq, tk, d, dv;  // group: query heads of one key head
    float scale;                                  // logits in base 2: scale * log2(e), without a soft-cap
    float softcap;                                // 0: none; then cap * log2(e) * tanh(scale * q.k / cap)
    float inverseCap;
    const Span* spans;  // [tq]; null: every query sees every key
    const uint8_t* keyVisible;
    int64_t keyVisibleStride;
    const float* bias;
    int64_t biasB, biasH, biasQ, biasK;
    const float* negLse;
};

/// A float or int32 output of every head, strides in elements.
struct Output {
    void* data;
    int64_t strideB, strideH;
};

/// Logits below this many bits count as hidden; 2 to this power is 0 and it survives products with 0.
constexpr float kHidden = -1e30f;
/// Keys that one thread block of the fast kernels owns.
constexpr int kKeyBlock = 256;
/// Queries that one step of the fast kernels reads.
constexpr int kQueryTile = 64;

}  // namespace fovea::kernels::cuda
