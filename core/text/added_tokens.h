#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "text/byte_trie.h"
#include "text/json_node.h"
#include "text/normalizer.h"
#include "text/pieces.h"
#include "text/vocabulary.h"

namespace fovea::text {

/// A token beside the model's own, found in the text as it is written.
struct AddedToken {
    int id = -1;
    std::string content;
    bool singleWord = false;   ///< only where no word character is next to it
    bool stripLeft = false;    ///< takes the white space before it
    bool stripRight = false;   ///< takes the white space behind it
    bool normalized = true;    ///< looked for, normalized itself, in the normalized text
    bool special = false;      ///< left out by decode(..., SkipSpecial::Yes)
    bool operator==(const AddedToken&) const = default;
};

/// Reads an entry of "added_tokens", of "added_tokens_decoder" or of special_tokens_map.json, whose id stands elsewhere.
AddedToken readAddedToken(const JsonNode& node);

/// All added tokens of a tokenizer.
class AddedTokens {
public:
    /// normalizer may be null.
    AddedTokens(std::vector<AddedToken> tokens, const Normalizer* normalizer);

    /// Cuts the text at tokens that are not normalized.
    void splitRaw(Pieces& pieces) const { split(pieces, m_raw); }
    /// Cuts the normalized text at normalized tokens.
    void splitNormalized(Pieces& pieces) const { split(pieces, m_normalized); }

    const AddedToken* byId(int id) const;
    std::optional<int> idOf(std::string_view content) const;
    /// What decoders get for an id: the normalized content of a normalized token, else the content.
    const std::string* decodedText(int id) const;
    bool isSpecialText(std::string_view text) const { return m_special.contains(text); }
    const std::vector<AddedToken>& all() const { return m_tokens; }

private:
    void split(Pieces& pieces, const ByteTrie& trie) const;
    void find(std::string_view text, const ByteTrie& trie, std::vector<Pieces::Found>& out) const;
    bool fits(const AddedToken& token, std::string_view text, std::size_t begin, std::size_t end) const;

    std::vector<AddedToken> m_tokens;
    std::vector<std::string> m_decoded;
    std::unordered_map<int, std::size_t> m_byId;
    std::map<std::string, int, std::less<>> m_ids;
    std::map<std::string, bool, std::less<>> m_special;
    ByteTrie m_raw, m_normalized;  // values are indices into m_tokens
};

}  // namespace fovea::text
