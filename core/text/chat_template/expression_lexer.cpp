#include "text/chat_template/expression_lexer.h"

#include <array>
#include <charconv>
#include <cstdlib>
#include <string>

#include "text/utf8.h"

namespace fovea::jinja {
namespace {

bool isAsciiDigit(char c) {
    return c >= '0' && c <= '9';
}
bool isNamePart(char c) {
    return isAsciiDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}

/// Digits with single underscores between them; 0 when there are none.
std::size_t digitRun(std::string_view rest, std::size_t at) {
    std::size_t end = at;
    while (end < rest.size() &&
           (isAsciiDigit(rest[end]) || (rest[end] == '_' && end > at && rest[end - 1] != '_' &&
                                        end + 1 < rest.size() && isAsciiDigit(rest[end + 1]))))
        ++end;
    return end - at;
}

std::string withoutUnderscores(std::string_view text) {
    std::string plain;
    for (char c : text)
        if (c != '_') plain += c;
    return plain;
}

/// The length of the real number at the start of rest, 0 when there is none.
std::size_t realLength(std::string_view rest) {
    std::size_t end = digitRun(rest, 0);
    if (end == 0) return 0;
    bool isReal = false;
    if (end + 1 < rest.size() && rest[end] == '.') {
        const std::size_t fraction = digitRun(rest, end + 1);
        if (fraction > 0) {
            end += 1 + fraction;
            isReal = true;
        }
    }
    if (end < rest.size() && (rest[end] == 'e' || rest[end] == 'E')) {
        const bool isSigned = end + 1 < rest.size() && (rest[end + 1] == '+' || rest[end + 1] == '-');
        const std::size_t digits = digitRun(rest, end + 1 + isSigned);
        if (digits > 0) {
            end += 1 + isSigned + digits;
            isReal = true;
        }
    }
    return isReal ? end : 0;
}

LexedToken lexNumber(std::string_view rest, Place place, AfterDot afterDot) {
    LexedToken lexed;
    lexed.token.place = place;
    if (const std::size_t length = afterDot == AfterDot::Yes ? 0 : realLength(rest)) {
        lexed.token.type = TokenType::Real;
        lexed.token.real = std::strtod(withoutUnderscores(rest.substr(0, length)).c_str(), nullptr);
        lexed.length = length;
        return lexed;
    }
    lexed.token.type = TokenType::Integer;
    int base = 10;
    std::size_t start = 0;
    if (rest.size() > 2 && rest[0] == '0' && !isAsciiDigit(rest[1])) {
        const char mark = static_cast<char>(rest[1] | 0x20);
        base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
        if (base != 10) start = 2;
    }
    std::size_t end = start;
    if (base == 10)
        end = rest[0] == '0' ? 1 : digitRun(rest, 0);
    else
        while (end < rest.size() && isNamePart(rest[end])) ++end;
    const std::string digits = withoutUnderscores(rest.substr(start, end - start));
    const auto [stop, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), lexed.token.integer, base);
    if (error != std::errc() || stop != digits.data() + digits.size())
        throw Fault(place, "expected a whole number of at most 64 bits, found " +
                               std::string(rest.substr(0, std::min<std::size_t>(end, 40))));
    lexed.length = end;
    return lexed;
}

/// Reads up to count digits of base at the front of rest.
char32_t takeDigits(std::string_view& rest, std::size_t count, int base, bool exact, Place place) {
    std::int32_t code = 0;
    const std::size_t available = std::min(count, rest.size());
    const auto [stop, error] = std::from_chars(rest.data(), rest.data() + available, code, base);
    const auto used = static_cast<std::size_t>(stop - rest.data());
    const bool valid =
        error == std::errc() && code >= 0 && code <= 0x10FFFF && !(code >= 0xD800 && code < 0xE000);
    if (!valid || (exact && used != count)) throw Fault(place, "found a text with a broken \\ sequence");
    rest.remove_prefix(used);
    return static_cast<char32_t>(code);
}

void appendEscape(std::string& made, std::string_view& rest, Place place) {
    const char mark = rest.front();
    static constexpr std::string_view kMarks = "abfnrtv\\'\"";
    static constexpr std::string_view kMeant = "\a\b\f\n\r\t\v\\'\"";
    if (const auto at = kMarks.find(mark); at != std::string_view::npos) {
        made += kMeant[at];
        rest.remove_prefix(1);
        return;
    }
    if (mark >= '0' && mark <= '7') return text::appendUtf8(made, takeDigits(rest, 3, 8, false, place));
    const std::size_t digits = mark == 'x' ? 2 : mark == 'u' ? 4 : mark == 'U' ? 8 : 0;
    if (digits > 0) {
        rest.remove_prefix(1);
        return text::appendUtf8(made, takeDigits(rest, digits, 16, true, place));
    }
    if (mark == 'N') throw Fault(place, "\\N{...} in a text is not supported; write the character itself");
    if (mark != '\n') {  // an unknown sequence stays as it is
        made += '\\';
        made += mark;
    }
    rest.remove_prefix(1);
}

LexedToken lexText(std::string_view rest, Place place) {
    const char quote = rest.front();
    std::size_t end = 1;
    while (end < rest.size() && rest[end] != quote) end += rest[end] == '\\' ? 2 : 1;
    if (end >= rest.size()) throw Fault(place, "expected the end of a text, found the end of the template");
    LexedToken lexed;
    lexed.token.type = TokenType::Text;
    lexed.token.place = place;
    lexed.length = end + 1;
    std::string_view inner = rest.substr(1, end - 1);
    while (!inner.empty()) {
        const std::size_t plain = std::min(inner.find('\\'), inner.size());
        lexed.token.text += inner.substr(0, plain);
        inner.remove_prefix(plain);
        if (inner.empty()) break;
        inner.remove_prefix(1);
        if (!inner.empty()) appendEscape(lexed.token.text, inner, place);
    }
    return lexed;
}

}  // namespace

LexedToken lexExpressionToken(std::string_view rest, Place place, AfterDot afterDot) {
    const char first = rest.front();
    if (isAsciiDigit(first)) return lexNumber(rest, place, afterDot);
    if (first == '\'' || first == '"') return lexText(rest, place);
    LexedToken lexed;
    lexed.token.place = place;
    if (isNamePart(first)) {
        while (lexed.length < rest.size() && isNamePart(rest[lexed.length])) ++lexed.length;
        lexed.token.type = TokenType::Name;
    } else {
        static constexpr std::array<std::string_view, 6> kLong{"**", "//", "==", "!=", ">=", "<="};
        for (std::string_view one : kLong)
            if (rest.starts_with(one)) lexed.length = 2;
        if (lexed.length == 0 &&
            std::string_view("+-/*%~[](){}><=.:|,;").find(first) != std::string_view::npos)
            lexed.length = 1;
        if (lexed.length == 0)
            throw Fault(place, "found a character that no expression has: '" + std::string(1, first) + "'");
        lexed.token.type = TokenType::Operator;
    }
    lexed.token.text = rest.substr(0, lexed.length);
    return lexed;
}

}  // namespace fovea::jinja
