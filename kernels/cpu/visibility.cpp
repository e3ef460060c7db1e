#include "cpu/visibility.h"

#include <algorithm>

namespace fovea::kernels::cpu {

namespace {

// Sequence that holds `token`: the last whose offset is not above it, which skips empty sequences.
int64_t sequenceOf(const int32_t* offsets, int64_t sequences, int64_t token) {
    return std::upper_bound(offsets, offsets + sequences + 1, token) - offsets - 1;
}

Span within(Span span, int64_t low, int64_t high) {
    const int64_t begin = std::clamp(span.low, low, high);
    return {begin, std::max(begin, std::min(span.high, high))};
}

}  // namespace

Span visibleKeys(const fv_problem& p, int64_t query) {
    int64_t queryStart = 0, keyStart = 0, keyEnd = p.tk;
    if (p.cu_seqlens_q) {
        const int64_t sequence = sequenceOf(p.cu_seqlens_q, p.sequences, query);
        queryStart = p.cu_seqlens_q[sequence];
        keyStart = p.cu_seqlens_k[sequence];
        keyEnd = p.cu_seqlens_k[sequence + 1];
    }
    const int64_t at = query - queryStart + p.q_offset;
    Span span{0, keyEnd - keyStart};
    if (p.causal) span.high = std::min(span.high, std::max(at + 1, p.prefix));
    if (p.window_left >= 0) span.low = std::max(span.low, at - p.window_left);
    if (p.window_right >= 0) span.high = std::min(span.high, at + p.window_right + 1);
    return within({span.low + keyStart, span.high + keyStart}, keyStart, keyEnd);
}

Span visibleQueries(const fv_problem& p, int64_t batch, int64_t key) {
    if (p.key_visible && !p.key_visible[batch * p.key_visible_stride_b + key]) return {0, 0};
    int64_t queryStart = 0, queryEnd = p.tq, keyStart = 0;
    if (p.cu_seqlens_k) {
        const int64_t sequence = sequenceOf(p.cu_seqlens_k, p.sequences, key);
        queryStart = p.cu_seqlens_q[sequence];
        queryEnd = p.cu_seqlens_q[sequence + 1];
        keyStart = p.cu_seqlens_k[sequence];
    }
    const int64_t at = key - keyStart;
    Span span{0, queryEnd - queryStart};
    if (p.causal && at >= p.prefix) span.low = std::max(span.low, at - p.q_offset);
    if (p.window_left >= 0) span.high = std::min(span.high, at - p.q_offset + p.window_left + 1);
    if (p.window_right >= 0) span.low = std::max(span.low, at - p.q_offset - p.window_right);
    return within({span.low + queryStart, span.high + queryStart}, queryStart, queryEnd);
}

}  // namespace fovea::kernels::cpu
