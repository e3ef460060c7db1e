#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fovea/tokenizer.h"
#include "text/added_tokens.h"
#include "text/normalizer.h"
#include "text/post_processor.h"
#include "text/pre_tokenizer.h"
#include "text/token_decoder.h"
#include "text/token_model.h"

namespace fovea::text {

/// Everything a tokenizer is made of, while its files are being read. Only the model must be there.
struct TokenizerParts {
    std::unique_ptr<Normalizer> normalizer;
    std::unique_ptr<PreTokenizer> preTokenizer;
    std::unique_ptr<TokenModel> model;
    std::unique_ptr<PostProcessor> postProcessor;
    std::vector<std::unique_ptr<TokenDecoder>> decoders;
    std::vector<AddedToken> added;  ///< an id of -1 is filled in by finish()
    std::string bosToken, eosToken, padToken, unkToken;
    std::int64_t modelMaxLength = 0;
    std::vector<std::string> notices;
};

/// The parts that a tokenizer.json describes; throws Error (Input).
TokenizerParts partsFromJson(const nlohmann::json& json, const std::string& fileName);
/// Gives added tokens their ids and builds the tokenizer.
std::shared_ptr<const Tokenizer> finish(TokenizerParts parts);

}  // namespace fovea::text

namespace fovea {

struct Tokenizer::Impl {
    text::TokenizerParts parts;
    text::AddedTokens added;

    bool skipped(std::string_view token) const { return added.isSpecialText(token); }
    /// What decoders get for an id, nullptr when it is unknown.
    const std::string* decodedText(int id) const;
};

}  // namespace fovea
