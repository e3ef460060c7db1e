#include "fovea/error.h"
#include "text/byte_trie.h"
#include "text/limits.h"
#include "text/token_model.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

/// Longest pieces first; a word with a part that no piece covers is unknown as a whole.
class WordPiece : public TokenModel {
public:
    explicit WordPiece(const JsonNode& node)
        : TokenModel(Vocabulary(node.at("vocab"))),
          m_unknown(node.text("unk_token", "[UNK]")),
          m_path(node.path()),
          m_maxChars(node.has("max_input_chars_per_word")
                         ? static_cast<std::size_t>(node.at("max_input_chars_per_word").integer(0, maxTextBytes))
                         : 100) {
        const std::string prefix = node.text("continuing_subword_prefix", "##");
        std::vector<std::pair<std::string, int>> first, later;
        m_vocabulary.forEach([&](const std::string& token, int id) {
            first.emplace_back(token, id);
            if (token.starts_with(prefix)) later.emplace_back(token.substr(prefix.size()), id);
        });
        m_first = ByteTrie(std::move(first));
        m_later = ByteTrie(std::move(later));
    }

    void tokenize(std::string_view word, std::vector<ModelToken>& out) const override {
        const std::size_t before = out.size();
        bool known = countChars(word) <= m_maxChars;
        for (std::size_t at = 0; known && at < word.size();) {
            const ByteTrie::Hit hit = (at == 0 ? m_first : m_later).longest(word, at);
            known = hit.length > 0;
            out.push_back({hit.value, static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + hit.length)});
            at += hit.length;
        }
        if (known) return;
        out.resize(before);
        const auto unknown = m_vocabulary.idOf(m_unknown);
        if (!unknown)
            throw Error(m_path + ": expected the unknown token \"" + m_unknown.substr(0, 40) +
                        "\" in the vocabulary, found none");
        out.push_back({*unknown, 0, static_cast<std::uint32_t>(word.size())});
    }

private:
    std::string m_unknown, m_path;
    std::size_t m_maxChars;
    ByteTrie m_first, m_later;
};

}  // namespace

std::unique_ptr<TokenModel> makeWordPiece(const JsonNode& node) {
    return std::make_unique<WordPiece>(node);
}

}  // namespace fovea::text
