#include "text/utf8.h"

namespace fovea::text {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

unsigned lengthOfLead(unsigned char lead) {
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return 2;
    if (lead >= 0xE0 && lead <= 0xEF) return 3;
    if (lead >= 0xF0 && lead <= 0xF4) return 4;
    return 0;
}

/// Whether byte may stand at position index of a character with that lead (no surrogates, overlong forms or > U+10FFFF).
bool continues(unsigned char lead, unsigned index, unsigned char byte) {
    if (index > 1) return byte >= 0x80 && byte <= 0xBF;
    const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    return byte >= low && byte <= high;
}

struct Scan {
    unsigned read = 1;
    bool valid = false, unfinished = false;
};

Scan scanCharacter(std::string_view bytes, std::size_t at) {
    const auto lead = static_cast<unsigned char>(bytes[at]);
    const unsigned length = lengthOfLead(lead);
    if (length == 0) return {};
    unsigned read = 1;
    while (read < length && at + read < bytes.size() &&
           continues(lead, read, static_cast<unsigned char>(bytes[at + read])))
        ++read;
    return {read, read == length, read < length && at + read == bytes.size()};
}

}  // namespace

Utf8Char charAt(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) -> char32_t {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0x80;
    };
    const char32_t lead = byte(at);
    if (lead < 0x80) return {lead, 1};
    if (lead < 0xE0) return {(lead & 0x1F) << 6 | (byte(at + 1) & 0x3F), 2};
    if (lead < 0xF0) return {(lead & 0x0F) << 12 | (byte(at + 1) & 0x3F) << 6 | (byte(at + 2) & 0x3F), 3};
    return {(lead & 0x07) << 18 | (byte(at + 1) & 0x3F) << 12 | (byte(at + 2) & 0x3F) << 6 | (byte(at + 3) & 0x3F), 4};
}

std::optional<Utf8Char> wholeCharAt(std::string_view bytes, std::size_t at) {
    if (!scanCharacter(bytes, at).valid) return {};
    return charAt(bytes, at);
}

Utf8Char charBefore(std::string_view text, std::size_t end) {
    std::size_t at = end - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
    return charAt(text, at);
}

void appendUtf8(std::string& text, char32_t code) {
    const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | code >> 6);
        put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(0xE0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3F));
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    }
}

std::string toUtf8(char32_t code) {
    std::string text;
    appendUtf8(text, code);
    return text;
}

std::size_t countChars(std::string_view text) {
    std::size_t count = 0;
    for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    return count;
}

std::size_t appendLossyUtf8(std::string_view bytes, std::string& text, Utf8Tail tail,
                            std::vector<std::uint32_t>* starts) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        const Scan scan = scanCharacter(bytes, at);
        if (scan.unfinished && tail == Utf8Tail::Keep) break;
        const std::string_view added = scan.valid ? bytes.substr(at, scan.read) : replacement;
        text += added;
        if (starts) starts->insert(starts->end(), added.size(), static_cast<std::uint32_t>(at));
        at += scan.read;
    }
    return at;
}

bool isUtf8(std::string_view bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
        const Scan scan = scanCharacter(bytes, at);
        if (!scan.valid) return false;
        at += scan.read;
    }
    return true;
}

}  // namespace fovea::text
