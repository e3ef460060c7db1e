#pragma once

#include <memory>

#include "text/aligned_text.h"
#include "text/json_node.h"

namespace fovea::text {

/// Rewrites a text before it is cut into words.
class Normalizer {
public:
    virtual ~Normalizer() = default;
    virtual void apply(AlignedText& text) const = 0;
};

/// Builds the "normalizer" of a tokenizer.json; throws Error (Input) for one that is unknown or wrong.
std::unique_ptr<Normalizer> makeNormalizer(const JsonNode& node);

/// Lower-cases every character.
void lowercase(AlignedText& text);

/// The members of a Sequence, or the node itself; nested sequences become flat. Throws Error (Input) when there are too
/// many.
std::vector<JsonNode> flatSequence(const JsonNode& node, std::string_view listKey);

std::unique_ptr<Normalizer> makeBertNormalizer(const JsonNode& node);
std::unique_ptr<Normalizer> makePrecompiledNormalizer(const JsonNode& node);

}  // namespace fovea::text
