#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fovea::text {

/// Keys with values >= 0, found by all their prefixes of a text; the children of a node lie side by side.
class ByteTrie {
public:
    ByteTrie() : ByteTrie(std::vector<std::pair<std::string, int>>{}) {}
    /// Of equal keys the last one counts. Empty keys are ignored.
    explicit ByteTrie(std::vector<std::pair<std::string, int>> entries);

    struct Hit {
        std::size_t length = 0;
        int value = -1;
    };
    /// The longest key that the text has at a position; length 0 when there is none.
    Hit longest(std::string_view text, std::size_t at) const;

    /// Calls hit(length, value) for every key that the text has at a position, shortest first.
    template <typename Callback>
    void prefixes(std::string_view text, std::size_t at, Callback hit) const {
        std::uint32_t node = 0;
        for (std::size_t i = at; i < text.size(); ++i) {
            node = child(node, static_cast<unsigned char>(text[i]));
            if (node == 0) return;
            if (m_nodes[node].value >= 0) hit(i + 1 - at, m_nodes[node].value);
        }
    }

private:
    struct Node {
        std::uint32_t firstChild = 0;
        int value = -1;
        std::uint16_t children = 0;
        unsigned char label = 0;
    };
    std::uint32_t child(std::uint32_t node, unsigned char label) const;

    std::vector<Node> m_nodes;
    std::vector<std::uint32_t> m_roots;  // children of the root by label
};

}  // namespace fovea::text
