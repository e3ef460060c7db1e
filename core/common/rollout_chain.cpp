#include "common/rollout_chain.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace fovea {

namespace {

// Bits that order as the values do.
std::uint32_t orderedBits(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value == 0 ? 0.0F : value);
    return bits & 0x80000000U ? ~bits : bits | 0x80000000U;
}

float valueOf(std::uint32_t ordered) {
    return std::bit_cast<float>(ordered & 0x80000000U ? ordered & 0x7FFFFFFFU : ~ordered);
}

// The bin of a histogram that holds the entry of a rank, and how many entries lie in lower bins.
struct Bin {
    std::uint32_t index = 0;
    std::int64_t below = 0;
};

Bin binOf(const std::vector<std::int64_t>& histogram, std::int64_t rank) {
    Bin bin;
    while (bin.index + 1 < histogram.size() && bin.below + histogram[bin.index] <= rank)
        bin.below += histogram[bin.index++];
    return bin;
}

}  // namespace

LowestShare::LowestShare(std::int64_t size, double ratio, const Blocks& blocks) {
    const auto count =
        std::min(size, static_cast<std::int64_t>(std::floor(ratio * static_cast<double>(size))));
    if (count <= 0) return;
    m_any = true;
    // The upper half of the bits of the last entry that goes, then the lower half among those that share it.
    std::vector<std::int64_t> upper(1U << 16), lower(1U << 16);
    blocks([&](const Array& block) {
        for (const float value : block.values) ++upper[orderedBits(value) >> 16];
    });
    const Bin coarse = binOf(upper, count - 1);
    blocks([&](const Array& block) {
        for (const float value : block.values)
            if (const std::uint32_t bits = orderedBits(value); bits >> 16 == coarse.index)
                ++lower[bits & 0xFFFFU];
    });
    const Bin fine = binOf(lower, count - 1 - coarse.below);
    m_limit = valueOf(coarse.index << 16 | fine.index);
    m_ties = count - coarse.below - fine.below;
}

void LowestShare::apply(Array& block) {
    if (!m_any) return;
    for (float& value : block.values) {
        if (value == m_limit && m_ties > 0) {
            --m_ties;
            value = 0;
        } else if (value < m_limit) {
            value = 0;
        }
    }
}

void discardLowest(Array& map, double ratio) {
    LowestShare lowest(static_cast<std::int64_t>(map.values.size()), ratio,
                       [&map](const std::function<void(const Array&)>& use) { use(map); });
    lowest.apply(map);
}

void rolloutStep(const Array& map, std::int64_t firstRow, const std::vector<double>& weights,
                 std::vector<double>& out) {
    const std::int64_t rows = map.size(0), tokens = map.size(1);
    for (std::int64_t r = 0; r < rows; ++r) {
        const std::int64_t token = firstRow + r;
        const double weight = weights[static_cast<std::size_t>(token)];
        if (weight == 0) continue;
        const float* row = map.values.data() + r * tokens;
        const double scale = weight / (1.0 + std::accumulate(row, row + tokens, 0.0));
        for (std::int64_t k = 0; k < tokens; ++k) out[static_cast<std::size_t>(k)] += scale * row[k];
        out[static_cast<std::size_t>(token)] += scale;
    }
}

}  // namespace fovea
