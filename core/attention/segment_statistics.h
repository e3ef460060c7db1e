#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "attention/trace_impl.h"

namespace fovea {

/// Brings what the kernels find within segments, in the order of KernelProblem, into that of the call.
class SegmentOrder {
public:
    explicit SegmentOrder(const AttentionSegments& segments);

    std::int64_t tokens() const { return static_cast<std::int64_t>(m_order.size()); }
    /// The call's token at a place of the problem; a negative place stays.
    std::int32_t tokenAt(std::int32_t place) const {
        return place < 0 ? place : m_order[static_cast<std::size_t>(place)];
    }
    /// Reorders values [heads, tokens, any].
    template <typename T>
    void place(std::vector<T>& values, std::int64_t heads) const {
        const std::size_t tokens = m_order.size(), width = values.size() / static_cast<std::size_t>(heads) / tokens;
        std::vector<T> placed(values.size());
        for (std::size_t row = 0; row * width < values.size(); ++row) {
            const std::size_t to = row / tokens * tokens + static_cast<std::size_t>(m_order[row % tokens]);
            for (std::size_t i = 0; i < width; ++i) placed[to * width + i] = values[row * width + i];
        }
        values.swap(placed);
    }

private:
    std::vector<std::int32_t> m_order;
};

/// Means of the blocks of `options` in the call's order, where that of the segments is another: each block of keys is a
/// group whose mass the kernels find. False where they refuse; `declined` then says why.
bool poolWithinSegments(const SiteRecord& record, const at::Tensor& lse, const StatisticsOptions& options,
                        SiteStatistics& out, std::string& declined);

}  // namespace fovea
