#pragma once

#include <string>
#include <string_view>

namespace fovea::viz {

/// Decodes the code point at `at` and moves on; damaged bytes give U+FFFD one at a time.
char32_t nextCodePoint(std::string_view text, std::size_t& at);

void appendUtf8(std::string& out, char32_t codePoint);

}  // namespace fovea::viz
