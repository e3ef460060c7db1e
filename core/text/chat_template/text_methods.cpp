// The methods of texts, as Python has them.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/chat_template/evaluator.h"
#include "text/chat_template/functions.h"
#include "text/chat_template/python_text.h"
#include "text/chat_template/unicode_text.h"

namespace fovea::jinja {
namespace {

using Method = Value (*)(Evaluator&, const std::string& text, const std::string& name, const Arguments&);
struct MethodEntry {
    std::string_view name;
    Method run;
};

Value changeCase(Evaluator& e, const std::string& text, const std::string& name, const Arguments& given) {
    Bound(e.meter(), name, given, {});
    if (name == "upper") return makeText(e.meter(), toUpper(text));
    if (name == "lower" || name == "casefold") return makeText(e.meter(), toLower(text));
    std::string made;
    bool afterLetter = false;
    std::string rest;
    for (std::string_view one : characters(text)) {
        const std::int32_t code = codePoint(one);
        if (name == "swapcase") {
            appendInCase(made, code, isUpper(code) ? LetterCase::Lower : LetterCase::Upper);
        } else if (name == "title") {
            appendInCase(made, code, afterLetter ? LetterCase::Lower : LetterCase::Title);
            afterLetter = isCased(code);
        } else if (made.empty()) {
            appendInCase(made, code, LetterCase::Title);
        } else {
            rest += one;
        }
    }
    return makeText(e.meter(), made + toLower(rest));
}

Value strip(Evaluator& e, const std::string& text, const std::string& name, const Arguments& given) {
    const Bound bound(e.meter(), name, given, {"chars"});
    const bool listed = bound.has(0) && !bound.value(0).isNone();
    const std::string unwanted = listed ? bound.text(0) : "";
    e.meter().work(text.size() / 64 * (1 + unwanted.size() / 16));
    std::string_view kept = text;
    if (name != "rstrip") kept = listed ? stripStart(kept, unwanted) : stripStart(kept);
    if (name != "lstrip") kept = listed ? stripEnd(kept, unwanted) : stripEnd(kept);
    return makeText(e.meter(), std::string(kept));
}

std::vector<std::string_view> splitSpace(std::string_view text, std::int64_t most, bool fromEnd) {
    std::vector<std::string_view> parts;
    text = fromEnd ? stripEnd(text) : stripStart(text);
    const auto all = characters(text);
    std::size_t begin = 0, end = all.size();
    const auto space = [&](std::size_t i) { return isSpace(codePoint(all[i])); };
    const auto piece = [&](std::size_t from, std::size_t to) {
        const auto* start = from < all.size() ? all[from].data() : text.data() + text.size();
        const auto* stop = to < all.size() ? all[to].data() : text.data() + text.size();
        parts.emplace_back(start, static_cast<std::size_t>(stop - start));
    };
    while (begin < end) {
        const bool isLast = most >= 0 && static_cast<std::int64_t>(parts.size()) == most;
        if (fromEnd) {
            std::size_t from = isLast ? begin : end;
            while (from > begin && !space(from - 1)) --from;
            piece(from, end);
            end = from;
            while (end > begin && space(end - 1)) --end;
        } else {
            std::size_t to = isLast ? end : begin;
            while (to < end && !space(to)) ++to;
            piece(begin, to);
            begin = to;
            while (begin < end && space(begin)) ++begin;
        }
    }
    if (fromEnd) std::reverse(parts.begin(), parts.end());
    return parts;
}

std::vector<std::string_view> splitBy(Meter& meter, std::string_view text, std::string_view by,
                                      std::int64_t most, bool fromEnd) {
    std::vector<std::string_view> parts;
    countSearch(meter, text, by);
    const auto more = [&] { return most < 0 || static_cast<std::int64_t>(parts.size()) < most; };
    while (more()) {
        const std::size_t at = fromEnd ? text.rfind(by) : text.find(by);
        if (at == std::string_view::npos) break;
        parts.push_back(fromEnd ? text.substr(at + by.size()) : text.substr(0, at));
        text = fromEnd ? text.substr(0, at) : text.substr(at + by.size());
    }
    parts.push_back(text);
    if (fromEnd) std::reverse(parts.begin(), parts.end());
    return parts;
}

Value textList(Meter& meter, const std::vector<std::string_view>& parts,
               SequenceType type = SequenceType::List) {
    std::vector<Value> items;
    for (std::string_view part : parts) items.push_back(makeText(meter, std::string(part)));
    return makeSequence(meter, std::move(items), type);
}

Value split(Evaluator& e, const std::string& text, const std::string& name, const Arguments& given) {
    const Bound bound(e.meter(), name, given, {"sep", "maxsplit"});
    const std::int64_t most = bound.wholeOr(1, -1);
    const bool fromEnd = name == "rsplit";
    if (!bound.has(0) || bound.value(0).isNone()) return textList(e.meter(), splitSpace(text, most, fromEnd));
    if (bound.text(0).empty()) e.meter().fail(name + ": the separator is empty");
    return textList(e.meter(), splitBy(e.meter(), text, bound.text(0), most, fromEnd));
}

Value splitlines(Evaluator& e, const std::string& text, const std::string& name, const Arguments& given) {
    const Bound bound(e.meter(), name, given, {"keepends"});
    if (bound.truthOr(0, false)) e.meter().fail("splitlines: keepends is not supported");
    return textList(e.meter(), splitLines(text));
}

Value partition(Evaluator& e, const std::string& text, const std::string& name, const Arguments& given) {
    const Bound bound(e.meter(), name, given, {"sep"});
    const std::string& by = bound.text(0);
    const bool fromEnd = name == "rpartition";
    if (by.empty()) e.meter().fail(name + ": the separator is empty");
    countSearch(e.meter(), text, by);
    const std::size_t at = fromEnd ? text.rfind(by) : text.find(by);
    std::vector<std::string_view> parts;
    const std::string_view whole = text;
    if (at == std::string::npos)
        parts = fromEnd ? std::vector<std::string_view>{"", "", whole}
                        : std::vector<std::string_view>{whole, "", ""};
    else
        parts = {whole.substr(0, at), whole.substr(at, by.size()), whole.substr(at + by.size())};
    return textList(e.meter(), parts, SequenceType::Tuple);
}

Value join(Evaluator& e, const std::string& text, const std::string& name, const Arguments& given) {
    const Bound bound(e.meter(), name, given, {"iterable"});
    std::string made;
    bool isFirst = true;
    for (const Value& item : iterate(e.meter(), bound.value(0))) {
        if (!item.isText()) e.meter().fail("join: expected texts, found " + typeName(item));
        if (!isFirst) made += text;
        isFirst = false;
        made += item.text();
        e.meter().checkText(made.size());
    }
    return makeText(e.meter(), std::move(made));
}

Value replace(Evaluator& e, const std::string& text, const std::string& name, const Arguments& given) {
    const Bound bound(e.meter(), name, given, {"old", "new", "count"});
    return makeText(e.meter(),
                    replaceText(e.meter(), text, bound.text(0), bound.text(1), bound.wholeOr(2, -1)));
}

/// The part of a text between two places counted in characters.
struct Window {
    std::string_view text;
    std::int64_t start = 0;  ///< of the part, in characters
};
Window windowOf(const std::string& text, const Bound& bound) {
    const auto all = characters(text);
    const auto count = static_cast<std::int64_t>(all.size());
    const auto place = [&](std::size_t at, std::int64_t other) {
        if (!bound.has(at) || bound.value(at).isNone()) return other;
        const std::int64_t given = bound.whole(at);
        return given < 0 ? std::max<std::int64_t>(0, given < -count ? 0 : given + count) : given;
    };
    const std::int64_t start = place(1, 0), stop = std::min(place(2, count), count);
    if (start > count || start > stop) return {{}, -1};
    const auto byteAt = [&](std::int64_t i) {
        return i < count ? static_cast<std::size_t>(all[static_cast<std::size_t>(i)].data() - text.data())
                         : text.size();
    };
    return {std::string_view(text).substr(byteAt(start), byteAt(stop) - byteAt(start)), start};
}

Value affix(Evaluator& e, const std::string& text, const std::string& name, const Arguments& given) {
    const Bound bound(e.meter(), name, given, {"prefix", "start", "end"});
    const Window window = windowOf(text, bound);
    std::vector<Value> choices{bound.value(0)};
    if (choices[0].isSequence(SequenceType::Tuple)) choices = iterate(e.meter(), bound.value(0));
    bool holds = false;
    for (const Value& choice : choices) {
        if (!choice.isText()) e.meter().fail(name + ": expected a text, found " + typeName(choice));
        const bool fits = name == "startswith" ? window.text.starts_with(choice.text())
                                               : window.text.ends_with(choice.text());
        holds = holds || (fits && window.start >= 0);
    }
    return Value(holds);
}

Value removeAffix(Evaluator& e, const std::string& text, const std::string& name, const Arguments& given) {
    const Bound bound(e.meter(), name, given, {"prefix"});
    const std::string& part = bound.text(0);
    std::string_view kept = text;
    if (name == "removeprefix" && kept.starts_with(part)) kept.remove_prefix(part.size());
    if (name == "removesuffix" && kept.ends_with(part)) kept.remove_suffix(part.size());
    return makeText(e.meter(), std::string(kept));
}

Value find(Evaluator& e, const std::string& text, const std::string& name, const Arguments& given) {
    const Bound bound(e.meter(), name, given, {"sub", "start", "end"});
    const Window window = windowOf(text, bound);
    const std::string& part = bound.text(0);
    countSearch(e.meter(), text, part);
    const std::size_t at = window.start < 0 ? std::string::npos
                           : name[0] == 'r' ? window.text.rfind(part)
                                            : window.text.find(part);
    if (at != std::string::npos)
        return Value(window.start + static_cast<std::int64_t>(characterCount(window.text.substr(0, at))));
    if (name == "index" || name == "rindex") e.meter().fail(name + ": the text does not have that part");
    return Value(std::int64_t{-1});
}

Value count(Evaluator& e, const std::string& text, const std::string& name, const Arguments& given) {
    const Bound bound(e.meter(), name, given, {"sub", "start", "end"});
    const Window window = windowOf(text, bound);
    const std::string& part = bound.text(0);
    if (window.start < 0) return Value(std::int64_t{0});
    if (part.empty()) return Value(1 + static_cast<std::int64_t>(characterCount(window.text)));
    std::int64_t found = 0;
    countSearch(e.meter(), window.text, part);
    for (std::size_t at = 0; (at = window.text.find(part, at)) != std::string::npos; at += part.size())
        ++found;
    return Value(found);
}

Value classify(Evaluator& e, const std::string& text, const std::string& name, const Arguments& given) {
    Bound(e.meter(), name, given, {});
    bool all = true, letters = false;
    for (std::string_view one : characters(text)) {
        const std::int32_t code = codePoint(one);
        letters = letters || isCased(code);
        if (name == "isspace") all = all && isSpace(code);
        if (name == "isdigit" || name == "isnumeric" || name == "isdecimal") all = all && isDigit(code);
        if (name == "isalpha") all = all && isLetter(code);
        if (name == "isalnum") all = all && (isLetter(code) || isDigit(code));
        if (name == "isupper") all = all && (isUpper(code) || !isCased(code));
        if (name == "islower") all = all && (isLower(code) || !isCased(code));
    }
    const bool byCase = name == "isupper" || name == "islower";
    return Value(all && (byCase ? letters : !text.empty()));
}

Value pad(Evaluator& e, const std::string& text, const std::string& name, const Arguments& given) {
    const Bound bound(e.meter(), name, given, {"width", "fillchar"});
    const std::string fill = name == "zfill" ? "0" : bound.textOr(1, " ");
    if (characterCount(fill) != 1) e.meter().fail(name + ": expected one character to fill with");
    const std::int64_t width = bound.whole(0);
    const std::int64_t missing = width - static_cast<std::int64_t>(characterCount(text));
    if (missing <= 0) return makeText(e.meter(), text);
    e.meter().checkText(static_cast<std::uint64_t>(missing) * fill.size());
    // Python puts the odd blank of center() to the left where the width is odd.
    const std::int64_t left = name == "ljust"    ? 0
                              : name == "center" ? missing / 2 + (missing & width & 1)
                                                 : missing;
    std::string before, after;
    for (std::int64_t i = 0; i < missing; ++i) (i < left ? before : after) += fill;
    const bool isSigned = name == "zfill" && !text.empty() && (text[0] == '-' || text[0] == '+');
    return makeText(e.meter(), isSigned ? text[0] + before + text.substr(1) : before + text + after);
}

Value unsupported(Evaluator& e, const std::string&, const std::string& name, const Arguments&) {
    e.meter().fail("the method '" + name + "' of texts is not supported in chat templates");
}

const MethodEntry* findMethod(std::string_view name) {
    static constexpr std::array kMethods{MethodEntry{"upper", changeCase},
                                         MethodEntry{"lower", changeCase},
                                         MethodEntry{"casefold", changeCase},
                                         MethodEntry{"swapcase", changeCase},
                                         MethodEntry{"title", changeCase},
                                         MethodEntry{"capitalize", changeCase},
                                         MethodEntry{"strip", strip},
                                         MethodEntry{"lstrip", strip},
                                         MethodEntry{"rstrip", strip},
                                         MethodEntry{"split", split},
                                         MethodEntry{"rsplit", split},
                                         MethodEntry{"splitlines", splitlines},
                                         MethodEntry{"partition", partition},
                                         MethodEntry{"rpartition", partition},
                                         MethodEntry{"join", join},
                                         MethodEntry{"replace", replace},
                                         MethodEntry{"startswith", affix},
                                         MethodEntry{"endswith", affix},
                                         MethodEntry{"removeprefix", removeAffix},
                                         MethodEntry{"removesuffix", removeAffix},
                                         MethodEntry{"find", find},
                                         MethodEntry{"rfind", find},
                                         MethodEntry{"index", find},
                                         MethodEntry{"rindex", find},
                                         MethodEntry{"count", count},
                                         MethodEntry{"isspace", classify},
                                         MethodEntry{"isdigit", classify},
                                         MethodEntry{"isnumeric", classify},
                                         MethodEntry{"isdecimal", classify},
                                         MethodEntry{"isalpha", classify},
                                         MethodEntry{"isalnum", classify},
                                         MethodEntry{"isupper", classify},
                                         MethodEntry{"islower", classify},
                                         MethodEntry{"zfill", pad},
                                         MethodEntry{"ljust", pad},
                                         MethodEntry{"rjust", pad},
                                         MethodEntry{"center", pad},
                                         MethodEntry{"format", unsupported},
                                         MethodEntry{"format_map", unsupported},
                                         MethodEntry{"encode", unsupported},
                                         MethodEntry{"translate", unsupported},
                                         MethodEntry{"expandtabs", unsupported},
                                         MethodEntry{"istitle", unsupported},
                                         MethodEntry{"isidentifier", unsupported},
                                         MethodEntry{"isascii", unsupported},
                                         MethodEntry{"isprintable", unsupported},
                                         MethodEntry{"maketrans", unsupported}};
    const auto found = std::find_if(kMethods.begin(), kMethods.end(),
                                    [name](const MethodEntry& one) { return one.name == name; });
    return found == kMethods.end() ? nullptr : &*found;
}

}  // namespace

bool isTextMethod(std::string_view name) {
    return findMethod(name) != nullptr;
}

Value callTextMethod(Evaluator& evaluator, const std::string& text, const std::string& name,
                     const Arguments& arguments) {
    const MethodEntry* method = findMethod(name);
    if (method == nullptr) evaluator.meter().fail("a text has no method '" + name.substr(0, 60) + "'");
    evaluator.meter().scan(text.size() * 2);
    return method->run(evaluator, text, name, arguments);
}

}  // namespace fovea::jinja
