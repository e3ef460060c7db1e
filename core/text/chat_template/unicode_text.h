#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat_template/limits.h"

namespace fovea::jinja {

/// The characters (code points) of a text in UTF-8; a byte that starts none is a character of its own.
std::vector<std::string_view> characters(std::string_view text);
std::size_t characterCount(std::string_view text);
/// The code point of one character of characters(); of a stray byte, U+FFFD.
std::int32_t codePoint(std::string_view character);

/// As Python's str.isspace() and the pattern \s see it.
bool isSpace(std::int32_t code);
bool isPrintable(std::int32_t code);
bool isCased(std::int32_t code);
bool isUpper(std::int32_t code);
bool isLower(std::int32_t code);
bool isLetter(std::int32_t code);
bool isDigit(std::int32_t code);

enum class LetterCase { Upper, Lower, Title };
void appendInCase(std::string& text, std::int32_t code, LetterCase letterCase);
std::string toUpper(std::string_view text);
std::string toLower(std::string_view text);

std::string_view stripStart(std::string_view text);
std::string_view stripEnd(std::string_view text);
/// Removes the given characters instead of white space.
std::string_view stripStart(std::string_view text, std::string_view unwanted);
std::string_view stripEnd(std::string_view text, std::string_view unwanted);

/// The lines of a text at every line boundary that Python knows, without a last empty one.
std::vector<std::string_view> splitLines(std::string_view text);

/// Counts the work of looking for all occurrences of a part, which may have to be compared at every byte.
void countSearch(Meter& meter, std::string_view text, std::string_view part);
/// Replaces up to limit occurrences (all when negative); an empty part is found between all characters.
std::string replaceText(Meter& meter, std::string_view text, std::string_view part, std::string_view by,
                        std::int64_t limit);

}  // namespace fovea::jinja
