#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/json_node.h"

namespace fovea::text {

/// The tokens of a model and their ids.
class Vocabulary {
public:
    Vocabulary() = default;
    Vocabulary(Vocabulary&&) = default;
    Vocabulary& operator=(Vocabulary&&) = default;
    Vocabulary(const Vocabulary&) = delete;
    Vocabulary& operator=(const Vocabulary&) = delete;
    /// Reads {"token": id, ...}; throws Error (Input) for ids that are no whole numbers in range, and beyond the limits.
    explicit Vocabulary(const JsonNode& node);

    /// Adds a token. Where two tokens share an id, the first one spells it; a token that comes again takes the new id.
    void add(std::string token, int id);
    std::optional<int> idOf(std::string_view token) const;
    /// The spelling of an id, nullptr when it has none.
    const std::string* tokenOf(int id) const;
    std::size_t size() const { return m_ids.size(); }
    /// One more than the largest id.
    int idEnd() const { return static_cast<int>(m_tokens.size()); }

    /// Calls visit(token, id) for every token in no particular order.
    template <typename Visit>
    void forEach(Visit visit) const {
        for (const auto& [token, id] : m_ids) visit(token, id);
    }

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    std::unordered_map<std::string, int, Hash, std::equal_to<>> m_ids;
    std::vector<const std::string*> m_tokens;  // keys of m_ids, which stay where they are
};

}  // namespace fovea::text
