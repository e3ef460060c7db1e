#include "text/byte_alphabet.h"

#include <array>

#include "text/utf8.h"

namespace fovea::text {
namespace {

constexpr bool printsItself(unsigned byte) {
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

constexpr std::array<char32_t, 256> makeAlphabet() {
    std::array<char32_t, 256> alphabet{};
    char32_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) alphabet[byte] = printsItself(byte) ? byte : next++;
    return alphabet;
}

constexpr std::array<char32_t, 256> alphabet = makeAlphabet();

}  // namespace

char32_t characterOfByte(unsigned char byte) {
    return alphabet[byte];
}

int byteOfCharacter(char32_t c) {
    if (c < 0x100) return printsItself(c) ? static_cast<int>(c) : -1;
    if (c > 0x143) return -1;
    for (unsigned byte = 0; byte < 256; ++byte)
        if (alphabet[byte] == c) return static_cast<int>(byte);
    return -1;
}

void toByteLevel(AlignedText& text) {
    AlignedText out;
    out.origin = text.origin;
    out.text.reserve(2 * text.text.size());
    out.align.reserve(2 * text.text.size());
    for (std::size_t i = 0; i < text.text.size(); ++i)
        out.append(alphabet[static_cast<unsigned char>(text.text[i])], text.align[i]);
    text = std::move(out);
}

}  // namespace fovea::text
