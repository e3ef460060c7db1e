#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace fovea::text {

bool isWhitespace(char32_t c);   ///< the Unicode property White_Space
bool isNumeric(char32_t c);      ///< categories Nd, Nl, No
bool isPunctuation(char32_t c);  ///< ASCII punctuation and the categories P*
bool isControl(char32_t c);      ///< categories Cc, Cf, Co
bool isNonspacingMark(char32_t c);
bool isMark(char32_t c);
bool isWordCharacter(char32_t c);  ///< what \w matches
bool isChineseCharacter(char32_t c);  ///< the ideograph blocks that BERT puts spaces around

/// The lower-case form; one character but for U+0130, which becomes "i" and U+0307.
struct LowerCase {
    char32_t first = 0, second = 0;
};
LowerCase toLower(char32_t c);

/// One character of a rewritten text. change: 0 takes the place of the next old character, 1 is added after it, and -n
/// takes its place and that of the n characters behind it.
struct CharChange {
    char32_t code = 0;
    int change = 0;
};

enum class UnicodeForm { NFC, NFD, NFKC, NFKD };

/// A valid UTF-8 text in a Unicode normalization form, with what became of every character.
std::vector<CharChange> normalizedForm(std::string_view text, UnicodeForm form);

/// Ends of the grapheme clusters of a valid UTF-8 text, as byte positions.
std::vector<std::uint32_t> graphemeEnds(std::string_view text);

}  // namespace fovea::text
