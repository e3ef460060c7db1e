#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/unicode.h"

namespace fovea::text {

/// Bytes of the original text.
struct Alignment {
    std::uint32_t begin = 0, end = 0;
};

/// A range of a text, and whether a pattern matched it.
struct Match {
    std::uint32_t begin = 0, end = 0;
    bool matched = false;
};

/// A text on its way through the normalizers, valid UTF-8; every byte knows which original bytes it stands for.
struct AlignedText {
    std::string text;
    std::vector<Alignment> align;  ///< one per byte of text
    std::uint32_t origin = 0;      ///< where the text starts in the original

    /// A text that has not been changed yet.
    static AlignedText of(std::string_view text);
    void clear();
    void append(std::string_view added, Alignment alignment);
    void append(char32_t code, Alignment alignment);
};

/// Rewrites a whole text; removedFirst old characters in front are dropped. Throws Error (Input) when it grows beyond
/// the limit.
void rewrite(AlignedText& text, std::span<const CharChange> characters, std::size_t removedFirst = 0);
/// Puts content before the text, aligned with its first character; nothing happens to an empty text.
void prepend(AlignedText& text, std::string_view content);
/// Replaces the matched ranges; matches cover the text in order.
void replaceMatches(AlignedText& text, std::span<const Match> matches, std::string_view content);
/// Drops the characters for which keep(code) is false.
void keepOnly(AlignedText& text, bool (*keep)(char32_t));

}  // namespace fovea::text
