#include <algorithm>
#include <limits>

#include "fovea/error.h"
#include "text/byte_trie.h"
#include "text/limits.h"
#include "text/token_model.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

constexpr double unknownPenalty = 10;

/// The pieces of a Unigram model: [[token, score], ...] in the order of their ids.
struct ScoredPieces {
    Vocabulary vocabulary;
    std::vector<double> scores;

    explicit ScoredPieces(const JsonNode& node) {
        const nlohmann::json& list = node.value();
        if (!list.is_array() || list.size() > maxVocabulary)
            node.fail("a list of at most " + std::to_string(maxVocabulary) + " pieces");
        for (std::size_t i = 0; i < list.size(); ++i) {
            const auto& entry = list[i];
            const bool good = entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_number();
            if (!good || entry[0].get_ref<const std::string&>().size() > maxTokenBytes)
                node.item(i).fail("[piece, score], the piece of at most " + std::to_string(maxTokenBytes) + " bytes");
            vocabulary.add(entry[0].get<std::string>(), static_cast<int>(i));
            scores.push_back(entry[1].get<double>());
        }
    }
};

/// The most probable cut of a word into scored pieces.
class Unigram : public TokenModel {
public:
    Unigram(ScoredPieces pieces, const JsonNode& node)
        : TokenModel(std::move(pieces.vocabulary)), m_scores(std::move(pieces.scores)), m_path(node.path()) {
        if (node.has("unk_id"))
            m_unknown = static_cast<int>(
                node.at("unk_id").integer(0, static_cast<std::int64_t>(m_scores.size()) - 1));
        if (node.boolean("byte_fallback", false)) m_bytes = byteTokens(m_vocabulary);
        std::vector<std::pair<std::string, int>> entries;
        m_vocabulary.forEach([&](const std::string& token, int id) { entries.emplace_back(token, id); });
        m_trie = ByteTrie(std::move(entries));
        m_unknownScore = std::numeric_limits<double>::infinity();
        for (const double score : m_scores) m_unknownScore = std::min(m_unknownScore, score);
        m_unknownScore -= unknownPenalty;
    }

    void tokenize(std::string_view word, std::vector<ModelToken>& out) const override {
        const std::vector<Node> nodes = bestPath(word);
        std::vector<ModelToken> path;  // backwards, neighbouring unknown pieces joined
        for (auto end = static_cast<std::uint32_t>(word.size()); end > 0;) {
            const Node& node = nodes[end];
            const auto begin = static_cast<std::uint32_t>(node.from);
            if (node.id == m_unknown && !path.empty() && path.back().id == m_unknown && path.back().begin == end)
                path.back().begin = begin;
            else
                path.push_back({node.id, begin, end});
            end = begin;
        }
        for (auto piece = path.rbegin(); piece != path.rend(); ++piece) emit(word, *piece, out);
    }

private:
    struct Node {
        int id = 0, from = -1;
        double score = 0;
    };

    std::vector<Node> bestPath(std::string_view word) const {
        std::vector<Node> nodes(word.size() + 1);
        for (std::size_t at = 0; at < word.size();) {
            const unsigned charLength = charAt(word, at).length;
            bool single = false;
            const auto offer = [&](std::size_t length, int id, double score) {
                Node& target = nodes[at + length];
                const double total = score + nodes[at].score;
                if (target.from < 0 || total > target.score) target = {id, static_cast<int>(at), total};
            };
            m_trie.prefixes(word, at, [&](std::size_t length, int id) {
                offer(length, id, m_scores[static_cast<std::size_t>(id)]);
                single |= length == charLength;
            });
            if (!single) offer(charLength, requireUnknown(), m_unknownScore);
            at += charLength;
        }
        return nodes;
    }

    void emit(std::string_view word, const ModelToken& piece, std::vector<ModelToken>& out) const {
        const std::string_view spelled = word.substr(piece.begin, piece.end - piece.begin);
        if (const auto id = m_vocabulary.idOf(spelled)) {
            out.push_back({*id, piece.begin, piece.end});
            return;
        }
        const std::size_t before = out.size();
        if (!m_bytes.empty() && appendBytes(spelled, piece.begin, m_bytes, out)) {
            // The reference gives every byte the place of the whole unknown piece.
            for (std::size_t i = before; i < out.size(); ++i) out[i] = {out[i].id, piece.begin, piece.end};
            return;
        }
        out.push_back({requireUnknown(), piece.begin, piece.end});
    }

    int requireUnknown() const {
        if (m_unknown < 0)
            throw Error(m_path + ": expected an unk_id, since the text has a character that no piece covers; found none");
        return m_unknown;
    }

    std::vector<double> m_scores;
    std::string m_path;
    ByteTrie m_trie;
    std::vector<int> m_bytes;
    int m_unknown = -1;
    double m_unknownScore = 0;
};

}  // namespace

std::unique_ptr<TokenModel> makeUnigram(const JsonNode& node) {
    return std::make_unique<Unigram>(ScoredPieces(node.at("vocab")), node);
}

}  // namespace fovea::text
