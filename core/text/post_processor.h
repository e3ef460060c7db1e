#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/tokenizer.h"
#include "text/json_node.h"

namespace fovea::text {

/// A token of the result; text views a string that outlives the processing.
struct OutputToken {
    int id = 0;
    ByteSpan span;
    std::string_view text;
    bool special = false;
};

/// Puts special tokens around the tokens of a text, and trims spans.
class PostProcessor {
public:
    virtual ~PostProcessor() = default;
    virtual void apply(std::string_view text, std::vector<OutputToken>& tokens, AddSpecial addSpecial) const = 0;
};

/// Builds the "post_processor" of a tokenizer.json; throws Error (Input) for one that is unknown or wrong.
std::unique_ptr<PostProcessor> makePostProcessor(const JsonNode& node);

}  // namespace fovea::text
