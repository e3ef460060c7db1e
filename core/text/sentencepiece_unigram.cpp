#include <algorithm>
#include <limits>

#include "text/sentencepiece_file.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

constexpr float unknownPenalty = 10;

class SentencePieceUnigram : public TokenModel {
public:
    explicit SentencePieceUnigram(SentencePieceFile file)
        : TokenModel(vocabularyOf(file)), m_unknown(file, m_vocabulary), m_pieces(std::move(file.pieces)) {
        std::vector<std::pair<std::string, int>> entries;
        float lowest = std::numeric_limits<float>::max(), highest = std::numeric_limits<float>::lowest();
        for (std::size_t i = 0; i < m_pieces.size(); ++i) {
            if (m_pieces[i].cuts()) entries.emplace_back(m_pieces[i].text, static_cast<int>(i));
            if (m_pieces[i].type != PieceType::Normal) continue;
            lowest = std::min(lowest, m_pieces[i].score);
            highest = std::max(highest, m_pieces[i].score);
        }
        m_trie = ByteTrie(std::move(entries));
        m_unknownScore = lowest - unknownPenalty;
        m_highest = highest;
    }

    void tokenize(std::string_view word, std::vector<ModelToken>& out) const override {
        const std::vector<Node> nodes = bestPath(word);
        std::vector<ModelToken> path;
        for (auto end = static_cast<std::uint32_t>(word.size()); end > 0; end = path.back().begin)
            path.push_back({nodes[end].id, static_cast<std::uint32_t>(nodes[end].from), end});
        const std::size_t first = out.size();
        for (auto piece = path.rbegin(); piece != path.rend(); ++piece) {
            if (piece->id == m_unknown.id())
                m_unknown.append(word, piece->begin, piece->end, first, out);
            else
                out.push_back(*piece);
        }
    }

private:
    struct Node {
        int id = 0, from = -1;
        float score = 0;
    };

    /// User-defined pieces always win.
    float scoreOf(int id, std::size_t length) const {
        const SentencePiece& piece = m_pieces[static_cast<std::size_t>(id)];
        if (piece.type == PieceType::UserDefined)
            return static_cast<float>(static_cast<double>(static_cast<float>(length) * m_highest) - 0.1);
        return piece.score;
    }

    std::vector<Node> bestPath(std::string_view word) const {
        std::vector<Node> nodes(word.size() + 1);
        for (std::size_t at = 0; at < word.size();) {
            const unsigned charLength = charAt(word, at).length;
            bool single = false;
            const auto offer = [&](std::size_t length, int id, float score) {
                Node& target = nodes[at + length];
                const float total = score + nodes[at].score;
                if (target.from < 0 || total > target.score) target = {id, static_cast<int>(at), total};
            };
            m_trie.prefixes(word, at, [&](std::size_t length, int id) {
                if (m_pieces[static_cast<std::size_t>(id)].type == PieceType::Unused) return;
                offer(length, id, scoreOf(id, length));
                single |= length == charLength;
            });
            if (!single) offer(charLength, m_unknown.id(), m_unknownScore);
            at += charLength;
        }
        return nodes;
    }

    UnknownPieces m_unknown;
    std::vector<SentencePiece> m_pieces;
    ByteTrie m_trie;
    float m_unknownScore = 0, m_highest = 0;
};

}  // namespace

std::unique_ptr<TokenModel> sentencePieceUnigram(SentencePieceFile file) {
    return std::make_unique<SentencePieceUnigram>(std::move(file));
}

}  // namespace fovea::text
