#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace fovea {

/// Self-attention that stays within runs of tokens (windows of a picture, frames of a video): the tokens, taken
/// in `order`, are cut at `bounds`, and each attends to those of its own run. Immutable; shared by all calls of
/// a run.
class AttentionSegments {
public:
    /// Segments of one length, to be computed together.
    struct Group {
        std::int64_t length = 0;
        at::Tensor tokens;  // [segments * length], segment after segment
    };

    /// `order` holds every token once, `bounds` rises from 0 to their number; throws Error (Internal).
    AttentionSegments(const std::vector<std::int64_t>& order, const std::vector<std::int64_t>& bounds,
                      const at::Device& device);
    /// The same segments on another device.
    AttentionSegments(const AttentionSegments& other, const at::Device& device);
    /// Runs of tokens that follow each other, of equal length.
    static std::shared_ptr<const AttentionSegments> equal(std::int64_t segments, std::int64_t length,
                                                          const at::Device& device);

    std::int64_t tokens() const { return m_segmentOf.size(0); }
    std::int64_t longest() const { return m_longest; }
    const std::vector<Group>& groups() const { return m_groups; }
    /// The tokens of one segment after the other, ascending within each, [tokens], and where these begin, then
    /// the number of tokens.
    const at::Tensor& order() const { return m_order; }
    const std::vector<std::int32_t>& bounds() const { return m_bounds; }
    /// Whether that order is the tokens' own.
    bool inOrder() const { return m_inOrder; }
    /// Where each token lies when all groups follow each other, [tokens].
    const at::Tensor& places() const { return m_places; }
    /// The segment of each token, [tokens].
    const at::Tensor& segmentOf() const { return m_segmentOf; }
    /// The tokens that each token attends to, ascending, then -1: [tokens, longest], int32 on the CPU. Made when it is
    /// asked for first, then kept: of a video's frames it is large.
    const at::Tensor& columns() const;

private:
    at::Tensor makeColumns() const;

    std::vector<Group> m_groups;
    std::int64_t m_longest = 0;
    at::Tensor m_order, m_places, m_segmentOf;
    std::vector<std::int32_t> m_bounds;
    bool m_inOrder = true;
    mutable std::once_flag m_columnsMade;
    mutable at::Tensor m_columns;
};

}  // namespace fovea
