#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::text {

/// The replacement table of a sentencepiece model ("precompiled_charsmap"): byte size of a double-array trie, its 32-bit
/// units, then replacements that end with NUL. Damaged tables read as if they had no such entry.
class Charsmap {
public:
    /// Throws Error (Input), starting with where, for a blob that is no such table.
    Charsmap(std::string_view blob, const std::string& where);

    struct Hit {
        std::size_t length = 0;  ///< bytes of the text that it replaces
        std::string_view replacement;
    };
    /// The shortest entry that the text begins with.
    std::optional<Hit> shortest(std::string_view text) const { return find(text, true); }
    /// The longest entry that the text begins with.
    std::optional<Hit> longest(std::string_view text) const { return find(text, false); }

private:
    std::optional<Hit> find(std::string_view text, bool first) const;

    std::vector<std::uint32_t> m_units;
    std::string m_replacements;
};

/// Bytes of a base64 text; throws Error (Input), starting with where.
std::string decodeBase64(std::string_view text, const std::string& where);

}  // namespace fovea::text
