#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/json_node.h"
#include "text/vocabulary.h"

namespace fovea::text {

/// A token of a word: its id and its bytes in the normalized word.
struct ModelToken {
    int id = 0;
    std::uint32_t begin = 0, end = 0;
};

/// Cuts a word into tokens. Immutable and safe from several threads.
class TokenModel {
public:
    virtual ~TokenModel() = default;
    /// Appends the tokens of a word that is not empty; throws Error (Input) where the vocabulary has no token for it.
    virtual void tokenize(std::string_view word, std::vector<ModelToken>& out) const = 0;

    const Vocabulary& vocabulary() const { return m_vocabulary; }

protected:
    explicit TokenModel(Vocabulary vocabulary) : m_vocabulary(std::move(vocabulary)) {}

    Vocabulary m_vocabulary;
};

/// Builds the "model" of a tokenizer.json; what it has to say about it goes to notices. Throws Error (Input) for a model
/// that is unknown or wrong.
std::unique_ptr<TokenModel> makeModel(const JsonNode& node, std::vector<std::string>& notices);

std::unique_ptr<TokenModel> makeBpe(const JsonNode& node, std::vector<std::string>& notices);
std::unique_ptr<TokenModel> makeWordPiece(const JsonNode& node);
std::unique_ptr<TokenModel> makeUnigram(const JsonNode& node);
std::unique_ptr<TokenModel> makeWordLevel(const JsonNode& node);

/// The ids of "<0x00>" to "<0xFF>", -1 for those that are missing.
std::vector<int> byteTokens(const Vocabulary& vocabulary);
/// Appends the byte tokens of a text, one for each byte of it; false, with nothing appended, when one is missing.
bool appendBytes(std::string_view text, std::uint32_t begin, const std::vector<int>& byteTokens,
                 std::vector<ModelToken>& out);

}  // namespace fovea::text
