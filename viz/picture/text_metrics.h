#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fovea::viz {

enum class Face { Regular, Bold, Mono };

/// Width of a line in picture units as DejaVu Sans would set it (without kerning): exact for ASCII, an upper
/// estimate for other scripts, so that a layout never depends on fonts that are installed.
double textWidth(std::string_view text, double size, Face face = Face::Regular);

/// The text broken at spaces into lines of at most `width`; words that are too long are broken anywhere. A
/// line break in the text is one in the result. Never empty.
std::vector<std::string> wrapText(std::string_view text, double width, double size,
                                  Face face = Face::Regular);

/// The same with as many lines, of about the same length: no word alone on the last one.
std::vector<std::string> wrapEvenly(std::string_view text, double width, double size,
                                    Face face = Face::Regular);

/// The text, or as much of its beginning as fits before an ellipsis.
std::string elideText(std::string_view text, double width, double size, Face face = Face::Regular);

/// How a broken character's bytes, named in the text of tokens ("<0xF0>"), are shown: as U+FFFD, or by name.
enum class BrokenBytes { Signs, Names };

/// The text with the names of broken bytes as U+FFFD.
std::string withoutByteNames(std::string_view text);

/// The text as one printable line: control characters, the tokenizers' word marks and spaces that
/// are all there is become visible signs.
std::string printable(std::string_view text, BrokenBytes bytes = BrokenBytes::Signs);

}  // namespace fovea::viz
