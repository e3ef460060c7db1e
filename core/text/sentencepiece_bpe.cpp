#include <queue>

#include "text/sentencepiece_file.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

/// Merges neighbours whose joined text is a piece: the highest score first, then the leftmost.
class SentencePieceBpe : public TokenModel {
public:
    explicit SentencePieceBpe(SentencePieceFile file)
        : TokenModel(vocabularyOf(file)),
          m_unknown(file, m_vocabulary),
          m_frozen(userDefinedPieces(file)),
          m_pieces(std::move(file.pieces)) {}

    void tokenize(std::string_view word, std::vector<ModelToken>& out) const override {
        std::vector<Symbol> symbols = start(word);
        Splits splits;
        merge(word, symbols, splits);
        const std::size_t first = out.size();
        for (const Symbol& symbol : symbols)
            if (symbol.begin < symbol.end) emit(word, symbol, splits, first, out);
    }

private:
    struct Symbol {
        std::uint32_t begin = 0, end = 0;
        int previous = -1, next = -1;
        bool frozen = false;
    };
    struct Candidate {
        float score;
        int left, right;
        std::uint32_t size;
        bool operator<(const Candidate& other) const {
            return score != other.score ? score < other.score : left > other.left;
        }
    };
    /// Where an unused piece was joined, by its text.
    using Splits = std::unordered_map<std::string_view, std::uint32_t>;

    /// The piece that a text may be cut into, or -1.
    int pieceOf(std::string_view text) const {
        const auto id = m_vocabulary.idOf(text);
        return id && m_pieces[static_cast<std::size_t>(*id)].cuts() ? *id : -1;
    }
    bool isUnused(int id) const { return m_pieces[static_cast<std::size_t>(id)].type == PieceType::Unused; }

    std::vector<Symbol> start(std::string_view word) const {
        std::vector<Symbol> symbols;
        for (std::size_t at = 0; at < word.size();) {
            const std::size_t frozen = m_frozen.longest(word, at).length;
            const std::size_t length = frozen > 0 ? frozen : charAt(word, at).length;
            const int index = static_cast<int>(symbols.size());
            const bool last = at + length >= word.size();
            symbols.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + length), index - 1,
                               last ? -1 : index + 1, frozen > 0});
            at += length;
        }
        return symbols;
    }

    void merge(std::string_view word, std::vector<Symbol>& symbols, Splits& splits) const {
        std::priority_queue<Candidate> queue;
        const auto at = [&](int i) -> Symbol& { return symbols[static_cast<std::size_t>(i)]; };
        const auto offer = [&](int left, int right) {
            if (left < 0 || right < 0 || at(left).frozen || at(right).frozen) return;
            const std::string_view joined = word.substr(at(left).begin, at(right).end - at(left).begin);
            const int id = pieceOf(joined);
            if (id < 0) return;
            queue.push({m_pieces[static_cast<std::size_t>(id)].score, left, right,
                        static_cast<std::uint32_t>(joined.size())});
            if (isUnused(id)) splits[joined] = at(left).end - at(left).begin;
        };
        for (int i = 1; i < static_cast<int>(symbols.size()); ++i) offer(i - 1, i);
        while (!queue.empty()) {
            const Candidate best = queue.top();
            queue.pop();
            Symbol &left = at(best.left), &right = at(best.right);
            const bool gone = left.begin == left.end || right.begin == right.end;
            if (gone || right.end - left.begin != best.size) continue;
            left.end = right.end;
            left.next = right.next;
            if (right.next >= 0) at(right.next).previous = best.left;
            right.begin = right.end;
            offer(left.previous, best.left);
            offer(best.left, left.next);
        }
    }

    /// An unused piece is taken apart again the way it was joined.
    void emit(std::string_view word, const Symbol& symbol, const Splits& splits, std::size_t first,
              std::vector<ModelToken>& out) const {
        std::vector<std::pair<std::uint32_t, std::uint32_t>> open{{symbol.begin, symbol.end}};
        while (!open.empty()) {
            const auto [begin, end] = open.back();
            open.pop_back();
            const std::string_view text = word.substr(begin, end - begin);
            const auto id = m_vocabulary.idOf(text);
            const auto split = id && isUnused(*id) ? splits.find(text) : splits.end();
            if (split != splits.end()) {
                open.emplace_back(begin + split->second, end);
                open.emplace_back(begin, begin + split->second);
            } else if (id && *id != m_unknown.id()) {
                out.push_back({*id, begin, end});
            } else {
                m_unknown.append(word, begin, end, first, out);
            }
        }
    }

    UnknownPieces m_unknown;
    ByteTrie m_frozen;
    std::vector<SentencePiece> m_pieces;
};

}  // namespace

std::unique_ptr<TokenModel> sentencePieceBpe(SentencePieceFile file) {
    return std::make_unique<SentencePieceBpe>(std::move(file));
}

}  // namespace fovea::text
