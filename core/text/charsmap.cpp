#include "text/charsmap.h"

#include "fovea/error.h"
#include "text/utf8.h"

namespace fovea::text {
namespace {

bool hasLeaf(std::uint32_t unit) {
    return (unit >> 8 & 1) != 0;
}

std::uint32_t valueOf(std::uint32_t unit) {
    return unit & 0x7FFFFFFF;
}

std::uint32_t labelOf(std::uint32_t unit) {
    return unit & 0x800000FF;
}

std::uint32_t offsetOf(std::uint32_t unit) {
    return (unit >> 10) << ((unit & 0x200) >> 6);
}

std::uint32_t littleEndian(std::string_view bytes) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i)
        value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    return value;
}

int base64Value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

}  // namespace

Charsmap::Charsmap(std::string_view blob, const std::string& where) {
    const std::size_t size = blob.size() < 4 ? 0 : littleEndian(blob);
    if (blob.size() < 4 || size > blob.size() - 4 || size % 4 != 0 || size == 0)
        throw Error(where + ": expected a trie of at most " + std::to_string(blob.size()) + " bytes, found a size of " +
                    std::to_string(size));
    m_units.reserve(size / 4);
    for (std::size_t at = 4; at < 4 + size; at += 4) m_units.push_back(littleEndian(blob.substr(at, 4)));
    m_replacements = blob.substr(4 + size);
    if (!isUtf8(m_replacements)) throw Error(where + ": expected replacements in UTF-8, found other bytes");
}

std::optional<Charsmap::Hit> Charsmap::find(std::string_view text, bool first) const {
    std::optional<Hit> hit;
    std::size_t node = offsetOf(m_units[0]);
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto byte = static_cast<unsigned char>(text[at]);
        node ^= byte;
        if (byte == 0 || node >= m_units.size() || labelOf(m_units[node]) != byte) break;
        const std::uint32_t unit = m_units[node];
        node ^= offsetOf(unit);
        if (node >= m_units.size()) break;
        if (!hasLeaf(unit)) continue;
        const std::size_t begin = valueOf(m_units[node]);
        // A damaged value may point behind the end or between the bytes of a character.
        if (begin >= m_replacements.size() || (static_cast<unsigned char>(m_replacements[begin]) & 0xC0) == 0x80) continue;
        hit = {at + 1, std::string_view(m_replacements.data() + begin)};
        if (first) break;
    }
    return hit;
}

std::string decodeBase64(std::string_view text, const std::string& where) {
    while (!text.empty() && text.back() == '=') text.remove_suffix(1);
    std::string bytes;
    bytes.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const int value = base64Value(text[i]);
        if (value < 0)
            throw Error(where + ": expected base64, found another character at position " + std::to_string(i));
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes.push_back(static_cast<char>(bits >> count & 0xFF));
        }
    }
    return bytes;
}

}  // namespace fovea::text
