#pragma once

#include <memory>

#include "text/json_node.h"
#include "text/pieces.h"

namespace fovea::text {

/// Cuts a normalized text into the words that the model sees one by one.
class PreTokenizer {
public:
    virtual ~PreTokenizer() = default;
    virtual void apply(Pieces& pieces) const = 0;
};

/// Builds the "pre_tokenizer" of a tokenizer.json; throws Error (Input) for one that is unknown or wrong.
std::unique_ptr<PreTokenizer> makePreTokenizer(const JsonNode& node);

std::unique_ptr<PreTokenizer> makeByteLevelPreTokenizer(const JsonNode& node);
std::unique_ptr<PreTokenizer> makeMetaspacePreTokenizer(const JsonNode& node);

/// When Metaspace puts a word mark in front.
enum class PrependScheme { First, Never, Always };
PrependScheme prependSchemeOf(const JsonNode& node);

}  // namespace fovea::text
