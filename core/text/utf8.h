#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::text {

/// A code point and the bytes it takes in UTF-8.
struct Utf8Char {
    char32_t code = 0;
    unsigned length = 1;
};

/// The character of a valid UTF-8 text that starts at a byte.
Utf8Char charAt(std::string_view text, std::size_t at);
/// The same of any bytes; nothing where those at `at` (below the size) are no whole character: overlong forms, surrogates,
/// a part of one.
std::optional<Utf8Char> wholeCharAt(std::string_view bytes, std::size_t at);
/// The character of a valid UTF-8 text that ends before a byte; end > 0.
Utf8Char charBefore(std::string_view text, std::size_t end);
void appendUtf8(std::string& text, char32_t code);
std::string toUtf8(char32_t code);
std::size_t countChars(std::string_view text);

enum class Utf8Tail { Keep, Replace };

/// Appends bytes as valid UTF-8: each longest wrong beginning of a character becomes U+FFFD, as in the Unicode standard
/// and Python's errors="replace". With Utf8Tail::Keep an unfinished character at the end stays unread. Returns how many
/// bytes were read. starts, where given, gets for every byte appended the input byte its character started at.
std::size_t appendLossyUtf8(std::string_view bytes, std::string& text, Utf8Tail tail,
                            std::vector<std::uint32_t>* starts = nullptr);
bool isUtf8(std::string_view bytes);

}  // namespace fovea::text
