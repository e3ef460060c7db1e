#pragma once

#include <optional>
#include <string_view>

#include "text/chat_template/lexer.h"

namespace fovea::jinja {

/// The token at the start of rest, which is inside a tag, and how many bytes it takes; throws Fault at the
/// place.
struct LexedToken {
    Token token;
    std::size_t length = 0;
};
/// After a dot, as in list.0.1, digits are whole numbers.
enum class AfterDot { No, Yes };
LexedToken lexExpressionToken(std::string_view rest, Place place, AfterDot afterDot);

}  // namespace fovea::jinja
