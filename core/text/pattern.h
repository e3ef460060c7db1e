#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/json_node.h"
#include "text/regex.h"

namespace fovea::text {

/// {"String": ...} or {"Regex": ...} of a tokenizer.json: what Replace and Split look for.
class Pattern {
public:
    /// Throws Error (Input) for a pattern that does not compile.
    explicit Pattern(const JsonNode& node);

    /// Appends ranges that cover the whole text in order: matches and what lies between them.
    void findAll(std::string_view text, std::vector<Match>& out) const;

private:
    std::string m_literal;
    std::optional<Regex> m_regex;
};

/// Appends ranges that cover the text: each character that fits is a match of its own.
void findCharacters(std::string_view text, bool (*fits)(char32_t), std::vector<Match>& out);
/// The same for one character.
void findLiteral(std::string_view text, std::string_view literal, std::vector<Match>& out);

}  // namespace fovea::text
