#pragma once

#include <string>
#include <string_view>

#include "text/aligned_text.h"

namespace fovea::text {

/// The character that stands for a byte in byte-level vocabularies: itself where it prints, else one from U+0100 on.
char32_t characterOfByte(unsigned char byte);
/// The byte that a character stands for, or -1.
int byteOfCharacter(char32_t c);
/// Writes every byte of a text as its character.
void toByteLevel(AlignedText& text);

}  // namespace fovea::text
