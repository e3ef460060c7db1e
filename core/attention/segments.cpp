#include "attention/segments.h"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "fovea/error.h"

namespace fovea {
namespace {

void requireOrder(const std::vector<std::int64_t>& order, const std::vector<std::int64_t>& bounds) {
    const auto count = static_cast<std::int64_t>(order.size());
    std::vector<bool> seen(order.size(), false);
    bool fits = bounds.size() >= 2 && bounds.front() == 0 && bounds.back() == count;
    for (std::size_t i = 1; fits && i < bounds.size(); ++i) fits = bounds[i] > bounds[i - 1];
    for (const std::int64_t token : order) {
        fits = fits && token >= 0 && token < count && !seen[static_cast<std::size_t>(token)];
        if (fits) seen[static_cast<std::size_t>(token)] = true;
    }
    if (!fits) throw Error("attention segments must divide a permutation of the tokens", {}, ErrorCode::Internal);
}

}  // namespace

AttentionSegments::AttentionSegments(const std::vector<std::int64_t>& order,
                                     const std::vector<std::int64_t>& bounds, const at::Device& device) {
    requireOrder(order, bounds);
    std::map<std::int64_t, std::vector<std::int64_t>> byLength;
    std::vector<std::int64_t> segmentOf(order.size());
    m_bounds.assign(bounds.begin(), bounds.end());
    std::vector<std::int64_t> ascending;
    for (std::size_t i = 1; i < bounds.size(); ++i) {
        std::vector<std::int64_t> run(order.begin() + bounds[i - 1], order.begin() + bounds[i]);
        const auto length = static_cast<std::int64_t>(run.size());
        m_longest = std::max(m_longest, length);
        std::vector<std::int64_t>& tokens = byLength[length];
        tokens.insert(tokens.end(), run.begin(), run.end());
        for (const std::int64_t token : run) segmentOf[static_cast<std::size_t>(token)] = static_cast<std::int64_t>(i) - 1;
        std::sort(run.begin(), run.end());
        ascending.insert(ascending.end(), run.begin(), run.end());
    }
    m_inOrder = std::is_sorted(ascending.begin(), ascending.end());
    m_order = at::tensor(ascending, at::kLong).to(device);
    std::vector<std::int64_t> places(order.size());
    std::int64_t place = 0;
    for (const auto& [length, tokens] : byLength) {
        m_groups.push_back({length, at::tensor(tokens, at::kLong).to(device)});
        for (const std::int64_t token : tokens) places[static_cast<std::size_t>(token)] = place++;
    }
    m_places = at::tensor(places, at::kLong).to(device);
    m_segmentOf = at::tensor(segmentOf, at::kLong).to(device);
}

AttentionSegments::AttentionSegments(const AttentionSegments& other, const at::Device& device)
    : m_groups(other.m_groups), m_longest(other.m_longest), m_order(other.m_order.to(device)),
      m_places(other.m_places.to(device)), m_segmentOf(other.m_segmentOf.to(device)), m_bounds(other.m_bounds),
      m_inOrder(other.m_inOrder) {
    for (Group& group : m_groups) group.tokens = group.tokens.to(device);
}

const at::Tensor& AttentionSegments::columns() const {
    std::call_once(m_columnsMade, [this] { m_columns = makeColumns(); });
    return m_columns;
}

at::Tensor AttentionSegments::makeColumns() const {
    at::Tensor columns = at::full({tokens(), m_longest}, -1, at::kInt);
    for (const Group& group : m_groups) {
        const at::Tensor plain = group.tokens.to(at::kCPU).contiguous();
        const std::int64_t* token = plain.const_data_ptr<std::int64_t>();
        for (std::int64_t begin = 0; begin < plain.size(0); begin += group.length) {
            std::vector<std::int32_t> sorted(token + begin, token + begin + group.length);
            std::sort(sorted.begin(), sorted.end());
            for (const std::int32_t one : sorted)
                std::copy(sorted.begin(), sorted.end(), columns.mutable_data_ptr<std::int32_t>() + one * m_longest);
        }
    }
    return columns;
}

std::shared_ptr<const AttentionSegments> AttentionSegments::equal(std::int64_t segments, std::int64_t length,
                                                                  const at::Device& device) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(segments * length));
    std::iota(order.begin(), order.end(), 0);
    std::vector<std::int64_t> bounds;
    for (std::int64_t i = 0; i <= segments; ++i) bounds.push_back(i * length);
    return std::make_shared<const AttentionSegments>(order, bounds, device);
}

}  // namespace fovea
