// Filters on numbers.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>

#include "text/chat_template/access.h"
#include "text/chat_template/arithmetic.h"
#include "text/chat_template/evaluator.h"
#include "text/chat_template/functions.h"
#include "text/chat_template/unicode_text.h"

namespace fovea::jinja {
namespace {

/// A text without white space around it and single underscores between digits, as int() and float() read it.
std::optional<std::string> plainNumber(std::string_view text) {
    text = stripEnd(stripStart(text));
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto isAlphanumeric = [&](std::size_t at) {
            return at < text.size() && std::isalnum(static_cast<unsigned char>(text[at]));
        };
        if (text[i] != '_') {
            plain += text[i];
        } else if (i == 0 || !isAlphanumeric(i - 1) || !isAlphanumeric(i + 1)) {
            return std::nullopt;
        }
    }
    if (plain.empty() || plain.size() > 400) return std::nullopt;
    return plain;
}

std::optional<double> readReal(std::string_view text) {
    const auto plain = plainNumber(text);
    if (!plain) return std::nullopt;
    if (plain->find_first_of("xXpP(") != std::string::npos) return std::nullopt;
    char* end = nullptr;
    const double value = std::strtod(plain->c_str(), &end);
    if (end != plain->c_str() + plain->size()) return std::nullopt;
    return value;
}

std::optional<std::int64_t> readWhole(std::string_view text, int base) {
    auto plain = plainNumber(text);
    if (!plain) return std::nullopt;
    const bool negative = plain->front() == '-';
    if (negative || plain->front() == '+') plain->erase(0, 1);
    if (plain->size() > 2 && plain->front() == '0') {
        const char mark = static_cast<char>((*plain)[1] | 0x20);
        const int marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
        if (marked != 0 && (base == marked || base == 0)) {
            plain->erase(0, 2);
            base = marked;
        }
    }
    if (base == 0) base = 10;
    std::int64_t value = 0;
    if (plain->empty() || plain->front() == '-') return std::nullopt;
    if (negative) plain->insert(0, "-");
    const auto [end, error] = std::from_chars(plain->data(), plain->data() + plain->size(), value, base);
    if (error != std::errc() || end != plain->data() + plain->size()) return std::nullopt;
    return value;
}

std::optional<std::int64_t> truncated(double value) {
    if (!(std::abs(value) < 9.2e18)) return std::nullopt;
    return static_cast<std::int64_t>(value);
}

Value toInt(Evaluator& e, const Value& subject, const Arguments& given) {
    const Bound bound(e.meter(), "int", given, {"default", "base"});
    const Value other = bound.valueOr(0, Value(std::int64_t{0}));
    const std::int64_t base = bound.wholeOr(1, 10);
    if (subject.isUndefined()) failUndefined(e.meter(), subject);
    std::optional<std::int64_t> whole;
    if (subject.isText()) {
        if (base == 0 || (base >= 2 && base <= 36)) whole = readWhole(subject.text(), static_cast<int>(base));
        if (const auto real = whole ? std::nullopt : readReal(subject.text())) whole = truncated(*real);
    } else if (subject.isReal()) {
        whole = truncated(subject.real());
    } else if (subject.isWhole()) {
        whole = subject.whole();
    }
    return whole ? Value(*whole) : other;
}

Value toFloat(Evaluator& e, const Value& subject, const Arguments& given) {
    const Bound bound(e.meter(), "float", given, {"default"});
    if (subject.isUndefined()) failUndefined(e.meter(), subject);
    if (subject.isNumber()) return Value(subject.real());
    const auto real = subject.isText() ? readReal(subject.text()) : std::nullopt;
    return real ? Value(*real) : bound.valueOr(0, Value(0.0));
}

Value absolute(Evaluator& e, const Value& subject, const Arguments& given) {
    Bound(e.meter(), "abs", given, {});
    if (subject.isReal()) return Value(std::abs(subject.real()));
    if (subject.isUndefined()) failUndefined(e.meter(), subject);
    if (!subject.isWhole()) e.meter().fail("abs: expected a number, found " + typeName(subject));
    return subject.whole() < 0 ? negate(e.meter(), subject) : Value(subject.whole());
}

Value round(Evaluator& e, const Value& subject, const Arguments& given) {
    const Bound bound(e.meter(), "round", given, {"precision", "method"});
    const std::int64_t precision = bound.wholeOr(0, 0);
    const std::string method = bound.textOr(1, "common");
    if (method != "common" && method != "ceil" && method != "floor")
        e.meter().fail("round: expected common, ceil or floor as method, found '" + method.substr(0, 40) +
                       "'");
    if (subject.isUndefined()) failUndefined(e.meter(), subject);
    if (!subject.isNumber()) e.meter().fail("round: expected a number, found " + typeName(subject));
    if (precision < 0 || precision > 100)
        e.meter().fail("round: expected a precision of 0 to 100, found " + std::to_string(precision));
    if (method == "common") {
        if (subject.isWhole()) return Value(subject.whole());
        // The decimal form is rounded half to even from the exact value, which is what Python's round() does.
        return Value(std::strtod(fmt::format("{:.{}f}", subject.real(), precision).c_str(), nullptr));
    }
    const double factor = std::pow(10.0, static_cast<double>(precision));
    const double scaled = subject.real() * factor;
    return Value((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / factor);
}

Value sum(Evaluator& e, const Value& subject, const Arguments& given) {
    const Bound bound(e.meter(), "sum", given, {"attribute", "start"});
    Value total = bound.valueOr(1, Value(std::int64_t{0}));
    if (total.isText()) e.meter().fail("sum: expected a number to start from, found a text");
    const bool follows = bound.has(0) && !bound.value(0).isNone();
    for (const Value& item : iterate(e.meter(), subject))
        total = calculate(e.meter(), "+", total, follows ? pathOf(e.meter(), item, bound.value(0)) : item);
    return total;
}

}  // namespace

FilterFunction findNumberFilter(std::string_view name) {
    static constexpr std::array<FilterEntry, 5> kFilters{
        {{"int", toInt}, {"float", toFloat}, {"abs", absolute}, {"round", round}, {"sum", sum}}};
    for (const FilterEntry& entry : kFilters)
        if (entry.name == name) return entry.run;
    return nullptr;
}

}  // namespace fovea::jinja
