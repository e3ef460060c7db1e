#include "text/unicode.h"

#include <oniguruma.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "text/utf8.h"

namespace fovea::text {
namespace {

utf8proc_category_t category(char32_t c) {
    return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

bool within(char32_t c, char32_t low, char32_t high) {
    return c >= low && c <= high;
}

}  // namespace

bool isWhitespace(char32_t c) {
    return within(c, 9, 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || within(c, 0x2000, 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool isNumeric(char32_t c) {
    if (c < 0x80) return within(c, '0', '9');
    return within(category(c), UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO);
}

bool isPunctuation(char32_t c) {
    if (c < 0x80) return within(c, 33, 47) || within(c, 58, 64) || within(c, 91, 96) || within(c, 123, 126);
    return within(category(c), UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PO);
}

bool isControl(char32_t c) {
    const auto kind = category(c);
    return kind == UTF8PROC_CATEGORY_CC || kind == UTF8PROC_CATEGORY_CF || kind == UTF8PROC_CATEGORY_CO;
}

bool isNonspacingMark(char32_t c) {
    return c >= 0x300 && category(c) == UTF8PROC_CATEGORY_MN;
}

bool isMark(char32_t c) {
    return c >= 0x300 && within(category(c), UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_ME);
}

// Alphabetic, marks, decimal digits, connectors and joiners, as Unicode's annex on regular expressions has it; Oniguruma's
// own \w takes in all numbers.
bool isWordCharacter(char32_t c) {
    if (ONIGENC_IS_CODE_ALPHA(ONIG_ENCODING_UTF8, static_cast<OnigCodePoint>(c)) || isMark(c)) return true;
    const auto kind = category(c);
    return kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_PC || c == 0x200C || c == 0x200D;
}

bool isChineseCharacter(char32_t c) {
    return within(c, 0x4E00, 0x9FFF) || within(c, 0x3400, 0x4DBF) || within(c, 0x20000, 0x2A6DF) ||
           within(c, 0x2A700, 0x2B73F) || within(c, 0x2B740, 0x2B81F) || within(c, 0x2B920, 0x2CEAF) ||
           within(c, 0xF900, 0xFAFF) || within(c, 0x2F800, 0x2FA1F);
}

LowerCase toLower(char32_t c) {
    if (c < 0x80) return {within(c, 'A', 'Z') ? c + 32 : c, 0};
    if (c == 0x130) return {'i', 0x307};
    return {static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))), 0};
}

namespace {

int combiningClass(char32_t c) {
    return c < 0x300 ? 0 : utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
}

/// The character that a pair composes to, or 0.
char32_t composed(char32_t first, char32_t second) {
    if (second < 0x300) return 0;
    std::array<utf8proc_int32_t, 2> pair{static_cast<utf8proc_int32_t>(first), static_cast<utf8proc_int32_t>(second)};
    const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    return utf8proc_normalize_utf32(pair.data(), 2, options) == 1 ? static_cast<char32_t>(pair[0]) : 0;
}

struct Decomposed {
    char32_t code;
    int change, combining;
};

void appendDecomposition(char32_t c, bool compatible, std::vector<Decomposed>& out) {
    std::array<utf8proc_int32_t, 32> parts;
    int boundary = 0;
    const auto options = static_cast<utf8proc_option_t>(
        UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compatible ? static_cast<int>(UTF8PROC_COMPAT) : 0));
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(), options,
                                               &boundary);
    if (count < 1 || count > static_cast<utf8proc_ssize_t>(parts.size())) {
        out.push_back({c, 0, combiningClass(c)});
        return;
    }
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
        const auto part = static_cast<char32_t>(parts[static_cast<std::size_t>(i)]);
        out.push_back({part, i > 0, combiningClass(part)});
    }
}

/// Decomposes all characters and puts each run of combining marks into canonical order.
std::vector<Decomposed> decomposition(std::string_view text, bool compatible) {
    std::vector<Decomposed> out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Char c = charAt(text, at);
        at += c.length;
        if (c.code < 0x80)
            out.push_back({c.code, 0, 0});
        else
            appendDecomposition(c.code, compatible, out);
    }
    for (auto begin = out.begin(); begin != out.end();) {
        if (begin->combining == 0) {
            ++begin;
            continue;
        }
        const auto end = std::find_if(begin, out.end(), [](const Decomposed& d) { return d.combining == 0; });
        std::stable_sort(begin, end,
                         [](const Decomposed& a, const Decomposed& b) { return a.combining < b.combining; });
        begin = end;
    }
    return out;
}

/// Canonical composition; a composed character takes over the places of its parts.
std::vector<CharChange> recomposition(const std::vector<Decomposed>& parts) {
    std::vector<CharChange> out;
    out.reserve(parts.size());
    std::ptrdiff_t starter = -1;
    int lastClass = -1;  // of the last mark kept after the starter; -1 when there is none
    for (const Decomposed& part : parts) {
        const bool blocked = lastClass >= part.combining;
        if (starter >= 0 && !blocked) {
            CharChange& base = out[static_cast<std::size_t>(starter)];
            if (const char32_t whole = composed(base.code, part.code)) {
                base = {whole, base.change + part.change - 1};
                continue;
            }
        }
        if (part.combining == 0) {
            starter = static_cast<std::ptrdiff_t>(out.size());
            lastClass = -1;
        } else if (starter >= 0) {
            lastClass = part.combining;
        }
        out.push_back({part.code, part.change});
    }
    return out;
}

}  // namespace

std::vector<CharChange> normalizedForm(std::string_view text, UnicodeForm form) {
    const bool compatible = form == UnicodeForm::NFKC || form == UnicodeForm::NFKD;
    const std::vector<Decomposed> parts = decomposition(text, compatible);
    if (form == UnicodeForm::NFC || form == UnicodeForm::NFKC) return recomposition(parts);
    std::vector<CharChange> out;
    out.reserve(parts.size());
    for (const Decomposed& part : parts) out.push_back({part.code, part.change});
    return out;
}

std::vector<std::uint32_t> graphemeEnds(std::string_view text) {
    std::vector<std::uint32_t> ends;
    utf8proc_int32_t state = 0, previous = -1;
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Char c = charAt(text, at);
        const auto code = static_cast<utf8proc_int32_t>(c.code);
        if (previous >= 0 && utf8proc_grapheme_break_stateful(previous, code, &state))
            ends.push_back(static_cast<std::uint32_t>(at));
        previous = code;
        at += c.length;
    }
    if (!text.empty()) ends.push_back(static_cast<std::uint32_t>(text.size()));
    return ends;
}

}  // namespace fovea::text
