#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat_template/limits.h"

namespace fovea::jinja {

enum class TokenType {
    Data,
    OutputBegin,
    OutputEnd,
    TagBegin,
    TagEnd,
    Name,
    Text,
    Integer,
    Real,
    Operator,
    End
};

struct Token {
    TokenType type = TokenType::End;
    std::string text;  ///< of data, names, texts (unescaped) and operators
    std::int64_t integer = 0;
    double real = 0;
    Place place;
};

/// Cuts a template into tokens as transformers sets up the language: the line break after a tag and the
/// blanks before one vanish (trim_blocks, lstrip_blocks), as does one line break at the end of the source.
/// Throws Fault.
std::vector<Token> tokenize(std::string_view source, const Limits& limits);

}  // namespace fovea::jinja
