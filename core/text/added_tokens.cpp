#include "text/added_tokens.h"

#include <algorithm>

#include "text/limits.h"
#include "text/utf8.h"

namespace fovea::text {

AddedToken readAddedToken(const JsonNode& node) {
    AddedToken token;
    if (node.value().is_string()) {
        token.content = node.text();
        token.special = true;
        token.normalized = false;
    } else {
        token.content = node.at("content").text();
        token.special = node.boolean("special", false);
        token.singleWord = node.boolean("single_word", false);
        token.stripLeft = node.boolean("lstrip", false);
        token.stripRight = node.boolean("rstrip", false);
        token.normalized = node.boolean("normalized", !token.special);
        if (node.has("id"))
            token.id = static_cast<int>(node.at("id").integer(0, static_cast<std::int64_t>(maxVocabulary) - 1));
    }
    if (token.content.size() > maxTokenBytes)
        node.fail("a token of at most " + std::to_string(maxTokenBytes) + " bytes");
    return token;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const Normalizer* normalizer) : m_tokens(std::move(tokens)) {
    std::vector<std::pair<std::string, int>> raw, normalized;
    for (std::size_t i = 0; i < m_tokens.size(); ++i) {
        const AddedToken& token = m_tokens[i];
        std::string spelled = token.content;
        if (token.normalized && normalizer) {
            AlignedText text = AlignedText::of(token.content);
            normalizer->apply(text);
            spelled = text.text;
        }
        (token.normalized ? normalized : raw).emplace_back(spelled, static_cast<int>(i));
        m_decoded.push_back(std::move(spelled));
        m_byId.insert_or_assign(token.id, i);
        m_ids.insert_or_assign(token.content, token.id);
        if (token.special) m_special.emplace(token.content, true);
    }
    m_raw = ByteTrie(std::move(raw));
    m_normalized = ByteTrie(std::move(normalized));
}

const AddedToken* AddedTokens::byId(int id) const {
    const auto found = m_byId.find(id);
    return found == m_byId.end() ? nullptr : &m_tokens[found->second];
}

std::optional<int> AddedTokens::idOf(std::string_view content) const {
    const auto found = m_ids.find(content);
    return found == m_ids.end() ? std::nullopt : std::optional(found->second);
}

const std::string* AddedTokens::decodedText(int id) const {
    const auto found = m_byId.find(id);
    return found == m_byId.end() ? nullptr : &m_decoded[found->second];
}

void AddedTokens::split(Pieces& pieces, const ByteTrie& trie) const {
    pieces.splitTokens(
        [&](std::string_view text, std::vector<Pieces::Found>& out) { find(text, trie, out); });
}

bool AddedTokens::fits(const AddedToken& token, std::string_view text, std::size_t begin, std::size_t end) const {
    if (!token.singleWord) return true;
    const bool joinedLeft = begin > 0 && isWordCharacter(charBefore(text, begin).code);
    const bool joinedRight = end < text.size() && isWordCharacter(charAt(text, end).code);
    return !joinedLeft && !joinedRight;
}

void AddedTokens::find(std::string_view text, const ByteTrie& trie, std::vector<Pieces::Found>& out) const {
    std::size_t covered = 0;
    const auto put = [&](std::size_t begin, std::size_t end, int token) {
        if (begin < end) out.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end), token});
        covered = std::max(covered, end);
    };
    for (std::size_t at = 0; at < text.size();) {
        const ByteTrie::Hit hit = trie.longest(text, at);
        if (hit.length == 0) {
            ++at;
            continue;
        }
        const AddedToken& token = m_tokens[static_cast<std::size_t>(hit.value)];
        std::size_t begin = at, end = at + hit.length;
        at = end;
        if (!fits(token, text, begin, end)) continue;
        while (token.stripLeft && begin > 0 && isWhitespace(charBefore(text, begin).code))
            begin -= charBefore(text, begin).length;
        while (token.stripRight && end < text.size() && isWhitespace(charAt(text, end).code))
            end += charAt(text, end).length;
        begin = std::max(begin, covered);
        put(covered, begin, -1);
        put(begin, end, token.id);
    }
    put(covered, text.size(), -1);
}

}  // namespace fovea::text
