#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/byte_trie.h"
#include "text/normalizer.h"
#include "text/token_model.h"

namespace fovea::text {

enum class PieceType { Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6 };

/// A piece of a sentencepiece model; its id is its place.
struct SentencePiece {
    std::string text;
    float score = 0;
    PieceType type = PieceType::Normal;

    /// Whether texts may be cut into this piece.
    bool cuts() const {
        return type == PieceType::Normal || type == PieceType::UserDefined || type == PieceType::Unused;
    }
};

/// What a sentencepiece model file (a protobuf ModelProto) says.
struct SentencePieceFile {
    enum class Algorithm { Unigram = 1, Bpe = 2 };
    std::vector<SentencePiece> pieces;
    Algorithm algorithm = Algorithm::Unigram;
    std::string charsmap;
    bool byteFallback = false;
    bool dummyPrefix = true;
    bool removeExtraSpaces = true;
    int unknownId = -1;
};

/// Parses a model file; throws Error (Input), starting with where, for damaged and unsupported ones.
SentencePieceFile parseSentencePiece(std::string_view bytes, const std::string& where);

/// The normalization of the model: its replacement table, spaces, word marks.
std::unique_ptr<Normalizer> sentencePieceNormalizer(const SentencePieceFile& file, const std::string& where);
/// The model itself; scores are compared in single precision as sentencepiece does.
std::unique_ptr<TokenModel> sentencePieceModel(SentencePieceFile file);
std::unique_ptr<TokenModel> sentencePieceBpe(SentencePieceFile file);
std::unique_ptr<TokenModel> sentencePieceUnigram(SentencePieceFile file);

/// The pieces as a vocabulary.
Vocabulary vocabularyOf(const SentencePieceFile& file);
/// A trie of the user-defined pieces, which nothing may cut.
ByteTrie userDefinedPieces(const SentencePieceFile& file);
/// Appends the bytes of an unknown piece, or the unknown token, joined with one right before it.
class UnknownPieces {
public:
    UnknownPieces(const SentencePieceFile& file, const Vocabulary& vocabulary);
    void append(std::string_view word, std::uint32_t begin, std::uint32_t end, std::size_t first,
                std::vector<ModelToken>& out) const;
    int id() const { return m_id; }

private:
    int m_id;
    std::vector<int> m_bytes;
};

}  // namespace fovea::text
