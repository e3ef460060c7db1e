#include "text/byte_trie.h"

#include <algorithm>

namespace fovea::text {

ByteTrie::ByteTrie(std::vector<std::pair<std::string, int>> entries) : m_nodes(1), m_roots(256, 0) {
    std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    // Level by level: each open node stands for the sorted keys that share its prefix.
    struct Open {
        std::uint32_t node;
        std::size_t begin, end, depth;
    };
    std::vector<Open> level{{0, 0, entries.size(), 0}}, next;
    while (!level.empty()) {
        next.clear();
        for (const Open& open : level) {
            std::size_t at = open.begin;
            for (; at < open.end && entries[at].first.size() == open.depth; ++at)
                if (open.depth > 0) m_nodes[open.node].value = entries[at].second;
            m_nodes[open.node].firstChild = static_cast<std::uint32_t>(m_nodes.size());
            while (at < open.end) {
                const char label = entries[at].first[open.depth];
                std::size_t end = at + 1;
                while (end < open.end && entries[end].first[open.depth] == label) ++end;
                next.push_back({static_cast<std::uint32_t>(m_nodes.size()), at, end, open.depth + 1});
                m_nodes.push_back({0, -1, 0, static_cast<unsigned char>(label)});
                ++m_nodes[open.node].children;
                at = end;
            }
        }
        level.swap(next);
    }
    for (std::uint32_t i = 0; i < m_nodes[0].children; ++i)
        m_roots[m_nodes[m_nodes[0].firstChild + i].label] = m_nodes[0].firstChild + i;
}

std::uint32_t ByteTrie::child(std::uint32_t node, unsigned char label) const {
    if (node == 0) return m_roots[label];
    const auto begin = m_nodes.begin() + m_nodes[node].firstChild;
    const auto end = begin + m_nodes[node].children;
    const auto found =
        std::lower_bound(begin, end, label, [](const Node& a, unsigned char wanted) { return a.label < wanted; });
    return found != end && found->label == label ? static_cast<std::uint32_t>(found - m_nodes.begin()) : 0;
}

ByteTrie::Hit ByteTrie::longest(std::string_view text, std::size_t at) const {
    Hit best;
    prefixes(text, at, [&](std::size_t length, int value) { best = {length, value}; });
    return best;
}

}  // namespace fovea::text
