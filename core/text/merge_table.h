#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace fovea::text {

/// What two neighbouring tokens become, and how early.
struct Merge {
    std::uint32_t rank = 0;
    int id = -1;  ///< -1: the pair does not merge
};

/// Merges by pair of ids, in one open-addressing table: it is asked for every pair of every word.
class MergeTable {
public:
    explicit MergeTable(std::size_t count)
        : m_slots(std::bit_ceil(2 * count + 2)), m_mask(m_slots.size() - 1) {}

    /// Adds a merge; a pair that comes again takes the new one. At most as many as announced.
    void put(int left, int right, Merge merge) {
        Slot& slot = m_slots[find(keyOf(left, right))];
        slot = {keyOf(left, right), merge};
    }
    Merge get(int left, int right) const { return m_slots[find(keyOf(left, right))].merge; }

private:
    static constexpr std::uint64_t empty = ~std::uint64_t{0};
    struct Slot {
        std::uint64_t key = empty;
        Merge merge;
    };

    static std::uint64_t keyOf(int left, int right) {
        return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
    }
    std::size_t find(std::uint64_t key) const {
        std::size_t at = (key * 0x9E3779B97F4A7C15ULL >> 20) & m_mask;
        while (m_slots[at].key != key && m_slots[at].key != empty) at = (at + 1) & m_mask;
        return at;
    }

    std::vector<Slot> m_slots;
    std::size_t m_mask;
};

}  // namespace fovea::text
