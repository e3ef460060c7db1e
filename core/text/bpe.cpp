#include <algorithm>
#include <queue>

#include "fovea/error.h"
#include "text/limits.h"
#include "text/merge_table.h"
#include "text/token_model.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

/// A token of a word that is still being merged; an empty one has gone into its left neighbour.
struct Symbol {
    int id = 0, previous = -1, next = -1;
    std::uint32_t begin = 0, end = 0;
    bool gone = false;
};

struct Candidate {
    std::uint32_t rank = 0;
    int left = 0, id = 0;
    /// The lowest rank comes first, then the leftmost.
    bool operator<(const Candidate& other) const {
        return rank != other.rank ? rank > other.rank : left > other.left;
    }
};

class Bpe : public TokenModel {
public:
    Bpe(const JsonNode& node, Vocabulary vocabulary)
        : TokenModel(std::move(vocabulary)),
          m_merges(node.at("merges").value().size()),
          m_prefix(node.text("continuing_subword_prefix", "")),
          m_suffix(node.text("end_of_word_suffix", "")),
          m_fuseUnknown(node.boolean("fuse_unk", false)),
          m_wholeWords(node.boolean("ignore_merges", false)) {
        if (node.boolean("byte_fallback", false)) m_bytes = byteTokens(m_vocabulary);
        const std::string unknown = node.text("unk_token", "");
        if (!unknown.empty()) {
            const auto id = m_vocabulary.idOf(unknown);
            if (!id) node.at("unk_token").fail("a token of the vocabulary");
            m_unknown = *id;
        }
        readMerges(node.at("merges"));
    }

    void tokenize(std::string_view word, std::vector<ModelToken>& out) const override {
        if (m_wholeWords) {
            if (const auto id = m_vocabulary.idOf(word)) {
                out.push_back({*id, 0, static_cast<std::uint32_t>(word.size())});
                return;
            }
        }
        std::vector<Symbol> symbols = start(word);
        merge(symbols);
        for (const Symbol& symbol : symbols)
            if (!symbol.gone) out.push_back({symbol.id, symbol.begin, symbol.end});
    }

private:
    int require(const std::string& token, const JsonNode& node, std::size_t index) const {
        const auto id = m_vocabulary.idOf(token);
        if (!id)
            throw Error(node.item(index).path() + ": expected tokens of the vocabulary, found \"" +
                        token.substr(0, 60) + "\", which is none");
        return *id;
    }

    void readMerges(const JsonNode& node) {
        const nlohmann::json& list = node.value();
        if (!list.is_array() || list.size() > maxMerges)
            node.fail("a list of at most " + std::to_string(maxMerges) + " merges");
        std::uint32_t rank = 0;
        for (std::size_t i = 0; i < list.size(); ++i) {
            std::string left, right;
            if (list[i].is_string()) {
                const std::string& line = list[i].get_ref<const std::string&>();
                if (line.starts_with("#version")) continue;
                const std::size_t space = line.find(' ');
                if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos)
                    node.item(i).fail("two tokens with one space between them");
                left = line.substr(0, space);
                right = line.substr(space + 1);
            } else {
                const bool pair = list[i].is_array() && list[i].size() == 2 && list[i][0].is_string() &&
                                  list[i][1].is_string();
                if (!pair) node.item(i).fail("two tokens");
                left = list[i][0].get<std::string>();
                right = list[i][1].get<std::string>();
            }
            const int leftId = require(left, node, i), rightId = require(right, node, i);
            const std::string whole = left + right.substr(std::min(m_prefix.size(), right.size()));
            m_merges.put(leftId, rightId, {rank++, require(whole, node, i)});
        }
    }

    /// The characters of a word as tokens; those without one become bytes or unknown.
    std::vector<Symbol> start(std::string_view word) const {
        std::vector<Symbol> symbols;
        symbols.reserve(word.size());
        std::vector<ModelToken> bytes;
        ModelToken unknown{-1, 0, 0};
        const auto put = [&](const ModelToken& token) {
            const int index = static_cast<int>(symbols.size());
            if (index > 0) symbols.back().next = index;
            symbols.push_back({token.id, index - 1, -1, token.begin, token.end, false});
        };
        std::string spelled;
        for (std::size_t at = 0; at < word.size();) {
            const auto begin = static_cast<std::uint32_t>(at);
            at += charAt(word, at).length;
            const auto end = static_cast<std::uint32_t>(at);
            spelled.clear();
            if (begin > 0) spelled += m_prefix;
            spelled += word.substr(begin, end - begin);
            if (at == word.size()) spelled += m_suffix;
            if (const auto id = m_vocabulary.idOf(spelled)) {
                if (unknown.id >= 0) put(std::exchange(unknown, {-1, 0, 0}));
                put({*id, begin, end});
                continue;
            }
            bytes.clear();
            if (!m_bytes.empty() && appendBytes(spelled, begin, m_bytes, bytes)) {
                for (ModelToken& byte : bytes) put({byte.id, std::min(byte.begin, end), std::min(byte.end, end)});
            } else if (m_unknown >= 0) {
                if (unknown.id >= 0 && !m_fuseUnknown) put(std::exchange(unknown, {-1, 0, 0}));
                unknown = {m_unknown, unknown.id >= 0 ? unknown.begin : begin, end};
            }
        }
        if (unknown.id >= 0) put(unknown);
        return symbols;
    }

    void merge(std::vector<Symbol>& symbols) const {
        std::vector<Candidate> storage;
        storage.reserve(symbols.size());
        std::priority_queue<Candidate> queue({}, std::move(storage));
        const auto offer = [&](int left, int right) {
            const Merge merge = m_merges.get(symbols[static_cast<std::size_t>(left)].id,
                                             symbols[static_cast<std::size_t>(right)].id);
            if (merge.id >= 0) queue.push({merge.rank, left, merge.id});
        };
        for (int i = 0; i + 1 < static_cast<int>(symbols.size()); ++i) offer(i, i + 1);
        while (!queue.empty()) {
            const Candidate best = queue.top();
            queue.pop();
            Symbol& left = symbols[static_cast<std::size_t>(best.left)];
            if (left.gone || left.next < 0) continue;
            Symbol& right = symbols[static_cast<std::size_t>(left.next)];
            // An entry is out of date when one of its two tokens has been merged since.
            if (m_merges.get(left.id, right.id).id != best.id) continue;
            left.id = best.id;
            left.end = right.end;
            left.next = right.next;
            right.gone = true;
            if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = best.left;
            if (left.previous >= 0) offer(left.previous, best.left);
            if (left.next >= 0) offer(best.left, left.next);
        }
    }

    MergeTable m_merges;
    std::string m_prefix, m_suffix;
    std::vector<int> m_bytes;
    int m_unknown = -1;
    bool m_fuseUnknown, m_wholeWords;
};

}  // namespace

std::unique_ptr<TokenModel> makeBpe(const JsonNode& node, std::vector<std::string>& notices) {
    if (node.has("dropout") && node.at("dropout").number() > 0)
        notices.push_back(node.path() + ": dropout is for training and is ignored");
    return std::make_unique<Bpe>(node, Vocabulary(node.at("vocab")));
}

}  // namespace fovea::text
