#include "text/chat_template/unicode_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <optional>

#include "text/utf8.h"

namespace fovea::jinja {
namespace {

struct Decoded {
    std::int32_t code;
    std::size_t length;
};

Decoded decode(std::string_view bytes) {
    const auto one = bytes.empty() ? std::nullopt : text::wholeCharAt(bytes, 0);
    return one ? Decoded{static_cast<std::int32_t>(one->code), one->length} : Decoded{-1, 1};
}

void appendCode(std::string& to, std::int32_t code) {
    text::appendUtf8(to, static_cast<char32_t>(code));
}

/// Where the last character of a text that is not empty begins.
std::size_t lastCharacter(std::string_view text) {
    for (std::size_t back = 1; back <= 4 && back <= text.size(); ++back)
        if (const Decoded last = decode(text.substr(text.size() - back));
            last.code >= 0 && last.length == back)
            return text.size() - back;
    return text.size() - 1;
}

/// Letters whose other case is more than one letter: code, upper, title.
struct LongCase {
    std::int32_t code;
    const char* upper;
    const char* title;
};
constexpr std::array<LongCase, 14> kLongCases{{{0xDF, "SS", "Ss"},
                                               {0x149, "\u02BCN", "\u02BCN"},
                                               {0x1F0, "J\u030C", "J\u030C"},
                                               {0x587, "\u0535\u0552", "\u0535\u0582"},
                                               {0x1E96, "H\u0331", "H\u0331"},
                                               {0x1E97, "T\u0308", "T\u0308"},
                                               {0x1E98, "W\u030A", "W\u030A"},
                                               {0xFB00, "FF", "Ff"},
                                               {0xFB01, "FI", "Fi"},
                                               {0xFB02, "FL", "Fl"},
                                               {0xFB03, "FFI", "Ffi"},
                                               {0xFB04, "FFL", "Ffl"},
                                               {0xFB05, "ST", "St"},
                                               {0xFB06, "ST", "St"}}};

bool isCaseIgnorable(std::int32_t code) {
    const auto category = utf8proc_category(code);
    return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_ME ||
           category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_LM ||
           category == UTF8PROC_CATEGORY_SK || code == '\'' || code == '.' || code == ':' || code == 0xB7 ||
           code == 0x2019;
}

/// A capital sigma at the end of a word has a small form of its own.
bool endsWord(const std::vector<std::string_view>& all, std::size_t at) {
    bool lettersBefore = false, lettersAfter = false;
    for (std::size_t i = at; i-- > 0;) {
        const auto code = codePoint(all[i]);
        if (isCaseIgnorable(code)) continue;
        lettersBefore = isCased(code);
        break;
    }
    for (std::size_t i = at + 1; i < all.size(); ++i) {
        const auto code = codePoint(all[i]);
        if (isCaseIgnorable(code)) continue;
        lettersAfter = isCased(code);
        break;
    }
    return lettersBefore && !lettersAfter;
}

bool isLineEnd(std::int32_t code) {
    return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 ||
           code == 0x2028 || code == 0x2029;
}

}  // namespace

std::vector<std::string_view> characters(std::string_view text) {
    std::vector<std::string_view> all;
    while (!text.empty()) {
        const std::size_t length = decode(text).length;
        all.push_back(text.substr(0, length));
        text.remove_prefix(length);
    }
    return all;
}

std::size_t characterCount(std::string_view text) {
    std::size_t count = 0;
    for (; !text.empty(); ++count) text.remove_prefix(decode(text).length);
    return count;
}

std::int32_t codePoint(std::string_view character) {
    const Decoded decoded = decode(character);
    return decoded.code < 0 ? 0xFFFD : decoded.code;
}

bool isSpace(std::int32_t code) {
    return (code >= 9 && code <= 13) || (code >= 0x1C && code <= 0x20) || code == 0x85 || code == 0xA0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 ||
           code == 0x202F || code == 0x205F || code == 0x3000;
}

bool isPrintable(std::int32_t code) {
    if (code == ' ') return true;
    switch (utf8proc_category(code)) {
        case UTF8PROC_CATEGORY_CC:
        case UTF8PROC_CATEGORY_CF:
        case UTF8PROC_CATEGORY_CS:
        case UTF8PROC_CATEGORY_CO:
        case UTF8PROC_CATEGORY_CN:
        case UTF8PROC_CATEGORY_ZS:
        case UTF8PROC_CATEGORY_ZL:
        case UTF8PROC_CATEGORY_ZP:
            return false;
        default:
            return true;
    }
}

bool isUpper(std::int32_t code) {
    return utf8proc_category(code) == UTF8PROC_CATEGORY_LU;
}
bool isLower(std::int32_t code) {
    return utf8proc_category(code) == UTF8PROC_CATEGORY_LL || code == 0xAA || code == 0xBA;
}
bool isCased(std::int32_t code) {
    return isUpper(code) || isLower(code) || utf8proc_category(code) == UTF8PROC_CATEGORY_LT;
}
bool isLetter(std::int32_t code) {
    const auto category = utf8proc_category(code);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}
bool isDigit(std::int32_t code) {
    return utf8proc_category(code) == UTF8PROC_CATEGORY_ND || code == 0xB2 || code == 0xB3 || code == 0xB9;
}

void appendInCase(std::string& text, std::int32_t code, LetterCase letterCase) {
    if (letterCase == LetterCase::Lower) {
        if (code == 0x130) {
            text += "i\u0307";
            return;
        }
        return appendCode(text, utf8proc_tolower(code));
    }
    for (const LongCase& one : kLongCases)
        if (one.code == code) {
            text += letterCase == LetterCase::Upper ? one.upper : one.title;
            return;
        }
    appendCode(text, letterCase == LetterCase::Upper ? utf8proc_toupper(code) : utf8proc_totitle(code));
}

std::string toUpper(std::string_view text) {
    std::string made;
    for (std::string_view one : characters(text)) {
        if (decode(one).code < 0)
            made += one;
        else
            appendInCase(made, codePoint(one), LetterCase::Upper);
    }
    return made;
}

std::string toLower(std::string_view text) {
    const auto all = characters(text);
    std::string made;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (decode(all[i]).code < 0)
            made += all[i];
        else if (codePoint(all[i]) == 0x3A3 && endsWord(all, i))
            made += "\u03C2";
        else
            appendInCase(made, codePoint(all[i]), LetterCase::Lower);
    }
    return made;
}

std::string_view stripStart(std::string_view text) {
    while (!text.empty()) {
        const Decoded first = decode(text);
        if (first.code < 0 || !isSpace(first.code)) break;
        text.remove_prefix(first.length);
    }
    return text;
}

std::string_view stripEnd(std::string_view text) {
    while (!text.empty()) {
        const std::size_t at = lastCharacter(text);
        const Decoded last = decode(text.substr(at));
        if (last.code < 0 || !isSpace(last.code)) break;
        text = text.substr(0, at);
    }
    return text;
}

std::string_view stripStart(std::string_view text, std::string_view unwanted) {
    const auto listed = characters(unwanted);
    while (!text.empty()) {
        const std::string_view first = text.substr(0, decode(text).length);
        if (std::find(listed.begin(), listed.end(), first) == listed.end()) break;
        text.remove_prefix(first.size());
    }
    return text;
}

std::string_view stripEnd(std::string_view text, std::string_view unwanted) {
    const auto listed = characters(unwanted);
    while (!text.empty()) {
        const std::size_t at = lastCharacter(text);
        if (std::find(listed.begin(), listed.end(), text.substr(at)) == listed.end()) break;
        text = text.substr(0, at);
    }
    return text;
}

std::vector<std::string_view> splitLines(std::string_view text) {
    std::vector<std::string_view> lines;
    std::size_t start = 0;
    for (std::size_t at = 0; at < text.size();) {
        const Decoded one = decode(text.substr(at));
        if (!isLineEnd(one.code)) {
            at += one.length;
            continue;
        }
        lines.push_back(text.substr(start, at - start));
        at += one.length;
        if (one.code == '\r' && at < text.size() && text[at] == '\n') ++at;
        start = at;
    }
    if (start < text.size()) lines.push_back(text.substr(start));
    return lines;
}

void countSearch(Meter& meter, std::string_view text, std::string_view part) {
    meter.work(text.size() / 64 * (1 + part.size() / 16));
}

std::string replaceText(Meter& meter, std::string_view text, std::string_view part, std::string_view by,
                        std::int64_t limit) {
    std::string made;
    const auto append = [&](std::string_view piece) {
        meter.checkText(made.size() + piece.size());
        made += piece;
    };
    const auto left = [&] { return limit < 0 || limit-- > 0; };
    countSearch(meter, text, part);
    if (part.empty()) {
        const auto all = characters(text);
        for (std::size_t i = 0; i <= all.size(); ++i) {
            if (left()) append(by);
            if (i < all.size()) append(all[i]);
        }
        return made;
    }
    std::size_t at = 0;
    for (std::size_t found; (found = text.find(part, at)) != std::string_view::npos && left();
         at = found + part.size()) {
        append(text.substr(at, found - at));
        append(by);
    }
    append(text.substr(at));
    return made;
}

}  // namespace fovea::jinja
