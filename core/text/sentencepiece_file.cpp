#include "text/sentencepiece_file.h"

#include <bit>

#include "fovea/error.h"
#include "text/limits.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

/// One field of a serialized protobuf message.
struct Field {
    std::uint64_t number = 0;
    std::uint64_t value = 0;      // of varints and fixed-size fields
    std::string_view bytes;       // of everything else
    bool isBytes = false;
};

class Message {
public:
    Message(std::string_view bytes, const std::string& where) : m_bytes(bytes), m_where(where) {}

    bool next(Field& field) {
        if (m_at == m_bytes.size()) return false;
        const std::uint64_t key = varint();
        field = {key >> 3, 0, {}, false};
        switch (key & 7) {
            case 0:
                field.value = varint();
                return true;
            case 1:
                field.value = fixed(8);
                return true;
            case 5:
                field.value = fixed(4);
                return true;
            case 2:
                field.bytes = take(varint());
                field.isBytes = true;
                return true;
            default:
                fail();
        }
    }

private:
    [[noreturn]] void fail() const {
        throw Error(m_where + ": expected a sentencepiece model (protobuf), found something else at byte " +
                        std::to_string(m_at),
                    "A tokenizer.model of another program (tiktoken) needs its tokenizer.json.");
    }
    std::string_view take(std::uint64_t size) {
        if (size > m_bytes.size() - m_at) fail();
        const std::string_view taken = m_bytes.substr(m_at, static_cast<std::size_t>(size));
        m_at += static_cast<std::size_t>(size);
        return taken;
    }
    std::uint64_t fixed(unsigned size) {
        const std::string_view bytes = take(size);
        std::uint64_t value = 0;
        for (unsigned i = 0; i < size; ++i)
            value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
        return value;
    }
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto byte = static_cast<unsigned char>(take(1)[0]);
            value |= static_cast<std::uint64_t>(byte & 127) << shift;
            if (byte < 128) return value;
        }
        fail();
    }

    std::string_view m_bytes;
    const std::string& m_where;
    std::size_t m_at = 0;
};

SentencePiece readPiece(std::string_view bytes, const std::string& where) {
    SentencePiece piece;
    Message message(bytes, where);
    for (Field field; message.next(field);) {
        if (field.number == 1) piece.text = field.bytes;
        if (field.number == 2) piece.score = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
        if (field.number == 3) {
            if (field.value < 1 || field.value > 6)
                throw Error(where + ": expected a piece type from 1 to 6, found " + std::to_string(field.value));
            piece.type = static_cast<PieceType>(field.value);
        }
    }
    if (piece.text.empty() || piece.text.size() > maxTokenBytes || !isUtf8(piece.text))
        throw Error(where + ": expected pieces of 1 to " + std::to_string(maxTokenBytes) + " bytes in UTF-8, found one of " +
                    std::to_string(piece.text.size()) + " bytes");
    return piece;
}

void readTrainer(std::string_view bytes, SentencePieceFile& file, const std::string& where) {
    Message message(bytes, where);
    for (Field field; message.next(field);) {
        if (field.number == 3) {
            if (field.value != 1 && field.value != 2)
                throw Error(where + ": expected a Unigram or BPE model (type 1 or 2), found type " +
                            std::to_string(field.value));
            file.algorithm = static_cast<SentencePieceFile::Algorithm>(field.value);
        }
        if (field.number == 24 && field.value != 0)
            throw Error(where + ": expected word marks before words, found them behind");
        if (field.number == 35) file.byteFallback = field.value != 0;
    }
}

void readNormalizer(std::string_view bytes, SentencePieceFile& file, const std::string& where) {
    Message message(bytes, where);
    for (Field field; message.next(field);) {
        if (field.number == 2) file.charsmap = field.bytes;
        if (field.number == 3) file.dummyPrefix = field.value != 0;
        if (field.number == 4) file.removeExtraSpaces = field.value != 0;
        if (field.number == 5 && field.value == 0)
            throw Error(where + ": expected spaces written as word marks, found a model that keeps them");
    }
}

}  // namespace

SentencePieceFile parseSentencePiece(std::string_view bytes, const std::string& where) {
    SentencePieceFile file;
    Message message(bytes, where);
    for (Field field; message.next(field);) {
        if (!field.isBytes) continue;
        if (field.number == 1) file.pieces.push_back(readPiece(field.bytes, where));
        if (field.number == 2) readTrainer(field.bytes, file, where);
        if (field.number == 3) readNormalizer(field.bytes, file, where);
        if (file.pieces.size() > maxVocabulary)
            throw Error(where + ": expected at most " + std::to_string(maxVocabulary) + " pieces, found more");
    }
    for (std::size_t i = 0; i < file.pieces.size(); ++i)
        if (file.pieces[i].type == PieceType::Unknown) file.unknownId = static_cast<int>(i);
    if (file.unknownId < 0)
        throw Error(where + ": expected a sentencepiece model with an unknown piece, found none",
                    "A tokenizer.model of another program (tiktoken) needs its tokenizer.json.");
    return file;
}

Vocabulary vocabularyOf(const SentencePieceFile& file) {
    Vocabulary vocabulary;
    for (std::size_t i = 0; i < file.pieces.size(); ++i) vocabulary.add(file.pieces[i].text, static_cast<int>(i));
    return vocabulary;
}

ByteTrie userDefinedPieces(const SentencePieceFile& file) {
    std::vector<std::pair<std::string, int>> entries;
    for (std::size_t i = 0; i < file.pieces.size(); ++i)
        if (file.pieces[i].type == PieceType::UserDefined) entries.emplace_back(file.pieces[i].text, static_cast<int>(i));
    return ByteTrie(std::move(entries));
}

UnknownPieces::UnknownPieces(const SentencePieceFile& file, const Vocabulary& vocabulary) : m_id(file.unknownId) {
    if (file.byteFallback) m_bytes = byteTokens(vocabulary);
}

void UnknownPieces::append(std::string_view word, std::uint32_t begin, std::uint32_t end, std::size_t first,
                           std::vector<ModelToken>& out) const {
    if (!m_bytes.empty() && appendBytes(word.substr(begin, end - begin), begin, m_bytes, out)) return;
    if (out.size() > first && out.back().id == m_id && out.back().end == begin)
        out.back().end = end;
    else
        out.push_back({m_id, begin, end});
}

std::unique_ptr<TokenModel> sentencePieceModel(SentencePieceFile file) {
    return file.algorithm == SentencePieceFile::Algorithm::Bpe ? sentencePieceBpe(std::move(file))
                                                               : sentencePieceUnigram(std::move(file));
}

}  // namespace fovea::text
