#include "picture/text_metrics.h"

#include "picture/font_advances.h"
#include "picture/utf8.h"

namespace fovea::viz {
namespace {

bool isWide(char32_t c) {
    return (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
           c >= 0x1F000;
}

bool isPictograph(char32_t c) {
    return c >= 0x1F000 && c < 0x20000;
}

constexpr std::size_t byteNameLength = 6;

/// "<0xF0>", of a byte that is no character by itself.
bool namesByte(std::string_view text) {
    const auto isHex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f'); };
    return text.size() == byteNameLength && text.starts_with("<0x") && text[3] >= '8' && isHex(text[3]) && isHex(text[4]) &&
           text[5] == '>';
}

/// Scripts and signs that fallback fonts draw, at most an em wide.
bool isForeign(char32_t c) {
    return (c >= 0x590 && c < 0x1E00) || (c >= 0x2500 && c < 0x2E80) || (c >= 0xA4D0 && c < 0xFFF0);
}

double advance(char32_t c, Face face) {
    const bool combining = (c >= 0x300 && c < 0x370) || c == 0x200B || c == 0x200D || c == 0xFE0F;
    if (combining) return 0;
    if (face == Face::Mono) return isWide(c) ? 2 * monoAdvance : monoAdvance;
    const bool bold = face == Face::Bold;
    if (c >= 32 && c < 127) return (bold ? boldAdvances : regularAdvances)[c - 32];
    if (isPictograph(c)) return 1.25 * fontUnitsPerEm;
    if (isWide(c)) return fontUnitsPerEm;
    switch (c) {
        case 0xB7:
            return bold ? 778 : 651;
        case 0x2013:
            return 1024;
        case 0x2014:
        case 0x2026:
            return 2048;
        case 0xB0:
            return 1024;
        case 0xFFFD:
            return bold ? 2280 : 2100;
        default:
            break;
    }
    if (c < 0x250) return bold ? 1470 : 1300;  // Latin with accents
    if (isForeign(c)) return fontUnitsPerEm;
    if (c >= 0x2190) return 1716;              // arrows and mathematical signs
    return bold ? 1640 : 1450;
}

}  // namespace

double textWidth(std::string_view text, double size, Face face) {
    double width = 0;
    for (std::size_t at = 0; at < text.size();) width += advance(nextCodePoint(text, at), face);
    return width * size / fontUnitsPerEm;
}

std::vector<std::string> wrapText(std::string_view text, double width, double size, Face face) {
    const double limit = width * fontUnitsPerEm / size;
    std::vector<std::string> lines;
    std::size_t start = 0, lastSpace = std::string_view::npos;
    double used = 0, usedAtSpace = 0;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t from = at;
        const char32_t c = nextCodePoint(text, at);
        if (c == '\n') {
            lines.emplace_back(text.substr(start, from - start));
            start = at;
            lastSpace = std::string_view::npos;
            used = 0;
            continue;
        }
        const double step = advance(c, face);
        if (c == ' ') {
            lastSpace = from;
            usedAtSpace = used + step;
        }
        used += step;
        if (used <= limit || from == start || c == ' ') continue;
        if (lastSpace != std::string_view::npos && lastSpace > start) {
            lines.emplace_back(text.substr(start, lastSpace - start));
            start = lastSpace + 1;
            used -= usedAtSpace;
        } else {
            lines.emplace_back(text.substr(start, from - start));
            start = from;
            used = step;
        }
        lastSpace = std::string_view::npos;
    }
    if (start < text.size() || lines.empty()) lines.emplace_back(text.substr(start));
    return lines;
}

std::vector<std::string> wrapEvenly(std::string_view text, double width, double size, Face face) {
    const std::vector<std::string> full = wrapText(text, width, size, face);
    if (full.size() < 2) return full;
    std::vector<std::string> best = full;
    double low = width / 2, high = width;
    for (int i = 0; i < 8; ++i) {
        const double middle = (low + high) / 2;
        std::vector<std::string> lines = wrapText(text, middle, size, face);
        if (lines.size() > full.size()) {
            low = middle;
        } else {
            high = middle;
            best = std::move(lines);
        }
    }
    return best;
}

std::string elideText(std::string_view text, double width, double size, Face face) {
    if (textWidth(text, size, face) <= width) return std::string(text);
    const double room = width - textWidth("\u2026", size, face);
    double used = 0;
    std::size_t end = 0;
    for (std::size_t at = 0; at < text.size(); end = at) {
        used += advance(nextCodePoint(text, at), face) * size / fontUnitsPerEm;
        if (used > room) break;
    }
    return std::string(text.substr(0, end)) + "\u2026";
}

std::string withoutByteNames(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const bool named = namesByte(text.substr(at, byteNameLength));
        if (named)
            appendUtf8(out, 0xFFFD);
        else
            out.push_back(text[at]);
        at += named ? byteNameLength : 1;
    }
    return out;
}

std::string printable(std::string_view given, BrokenBytes bytes) {
    const std::string text = bytes == BrokenBytes::Signs ? withoutByteNames(given) : std::string(given);
    std::string out;
    const bool blank = text.find_first_not_of(' ') == std::string::npos;
    for (std::size_t at = 0; at < text.size();) {
        const char32_t c = nextCodePoint(text, at);
        switch (c) {
            case '\n':
                out += "\u21B5";
                break;
            case ' ':
                out += blank ? "\u00B7" : " ";
                break;  // a name of spaces alone would be no name
            case '\t':
                out += "\u2192";
                break;
            case 0x2581:
                out += "\u00B7";
                break;  // SentencePiece's space
            case 0x120:
                out += "\u00B7";
                break;  // byte-level BPE's space
            case 0x10A:
                out += "\u21B5";
                break;  // byte-level BPE's line feed
            default:
                if (c < 32 || (c >= 0x7F && c < 0xA0))
                    appendUtf8(out, 0xFFFD);
                else
                    appendUtf8(out, c);
        }
    }
    return out;
}

}  // namespace fovea::viz
