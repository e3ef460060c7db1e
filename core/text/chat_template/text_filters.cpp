// Filters on texts.
#include <array>
#include <string>

#include "text/chat_template/evaluator.h"
#include "text/chat_template/functions.h"
#include "text/chat_template/json_text.h"
#include "text/chat_template/python_text.h"
#include "text/chat_template/unicode_text.h"

namespace fovea::jinja {
namespace {

Value upper(Evaluator& e, const Value& subject, const Arguments& given) {
    Bound(e.meter(), "upper", given, {});
    return makeText(e.meter(), toUpper(subjectText(e, subject)));
}
Value lower(Evaluator& e, const Value& subject, const Arguments& given) {
    Bound(e.meter(), "lower", given, {});
    return makeText(e.meter(), toLower(subjectText(e, subject)));
}
Value string(Evaluator& e, const Value& subject, const Arguments& given) {
    Bound(e.meter(), "string", given, {});
    return makeText(e.meter(), subjectText(e, subject));
}

Value capitalize(Evaluator& e, const Value& subject, const Arguments& given) {
    return callTextMethod(e, subjectText(e, subject), "capitalize", given);
}

/// Words begin after white space, '-' and opening brackets.
Value title(Evaluator& e, const Value& subject, const Arguments& given) {
    Bound(e.meter(), "title", given, {});
    const std::string text = subjectText(e, subject);
    std::string made, rest;
    bool begins = true;
    for (std::string_view one : characters(text)) {
        const std::int32_t code = codePoint(one);
        const bool separates = isSpace(code) || std::string_view("-({[<").find(one) != std::string_view::npos;
        if (separates || begins) {
            made += toLower(rest);
            rest.clear();
            made += separates ? std::string(one) : toUpper(one);
        } else {
            rest += one;
        }
        begins = separates;
    }
    return makeText(e.meter(), made + toLower(rest));
}

Value trim(Evaluator& e, const Value& subject, const Arguments& given) {
    const Bound bound(e.meter(), "trim", given, {"chars"});
    Arguments on;
    if (bound.has(0)) on.positional.push_back(bound.value(0));
    return callTextMethod(e, subjectText(e, subject), "strip", on);
}

Value replace(Evaluator& e, const Value& subject, const Arguments& given) {
    const Bound bound(e.meter(), "replace", given, {"old", "new", "count"});
    const bool all = !bound.has(2) || bound.value(2).isNone();
    return makeText(e.meter(),
                    replaceText(e.meter(), subjectText(e, subject), toText(e.meter(), bound.value(0)),
                                toText(e.meter(), bound.value(1)), all ? -1 : bound.whole(2)));
}

Value escape(Evaluator& e, const Value& subject, const Arguments& given) {
    Bound(e.meter(), "escape", given, {});
    std::string made;
    for (char c : subjectText(e, subject)) {
        const char* written = c == '&'    ? "&amp;"
                              : c == '<'  ? "&lt;"
                              : c == '>'  ? "&gt;"
                              : c == '\'' ? "&#39;"
                              : c == '"'  ? "&#34;"
                                          : nullptr;
        if (written)
            made += written;
        else
            made += c;
    }
    return makeText(e.meter(), std::move(made));
}

Value indent(Evaluator& e, const Value& subject, const Arguments& given) {
    const Bound bound(e.meter(), "indent", given, {"width", "first", "blank"});
    const Value width = bound.valueOr(0, Value(std::int64_t{4}));
    if (!width.isText() && (!width.isWhole() || width.whole() > 1000))
        e.meter().fail("indent: expected a text or at most 1000 blanks as width, found " + typeName(width));
    const std::string blanks =
        width.isText() ? width.text()
                       : std::string(static_cast<std::size_t>(std::max<std::int64_t>(0, width.whole())), ' ');
    const std::string text = subjectText(e, subject) + "\n";
    std::string made = bound.truthOr(1, false) ? blanks : "";
    bool first = true;
    for (std::string_view line : splitLines(text)) {
        if (!first) {
            made += '\n';
            if (!line.empty() || bound.truthOr(2, false)) made += blanks;
        }
        first = false;
        made += line;
        e.meter().checkText(made.size());
    }
    return makeText(e.meter(), std::move(made));
}

Value center(Evaluator& e, const Value& subject, const Arguments& given) {
    const Bound bound(e.meter(), "center", given, {"width"});
    Arguments on;
    on.positional.push_back(Value(bound.wholeOr(0, 80)));
    return callTextMethod(e, subjectText(e, subject), "center", on);
}

Value wordCount(Evaluator& e, const Value& subject, const Arguments& given) {
    Bound(e.meter(), "wordcount", given, {});
    std::int64_t words = 0;
    bool inside = false;
    const std::string text = subjectText(e, subject);
    for (std::string_view one : characters(text)) {
        const std::int32_t code = codePoint(one);
        const bool isWord = isLetter(code) || isDigit(code) || code == '_';
        if (isWord && !inside) ++words;
        inside = isWord;
    }
    return Value(words);
}

Value tojson(Evaluator& e, const Value& subject, const Arguments& given) {
    Meter& meter = e.meter();
    const Bound bound(meter, "tojson", given, {"ensure_ascii", "indent", "separators", "sort_keys"});
    JsonStyle style;
    style.asciiOnly = bound.truthOr(0, false);
    style.sortKeys = bound.truthOr(3, false);
    if (bound.has(1) && !bound.value(1).isNone()) {
        const Value& indent = bound.value(1);
        if (!indent.isText() && (!indent.isWhole() || indent.whole() > 1000))
            meter.fail("tojson: expected a text or at most 1000 blanks as indent, found " + typeName(indent));
        style.indent =
            indent.isText()
                ? indent.text()
                : std::string(static_cast<std::size_t>(std::max<std::int64_t>(0, indent.whole())), ' ');
        style.itemSeparator = ",";
    }
    if (bound.has(2) && !bound.value(2).isNone()) {
        const std::vector<Value> pair = iterate(meter, bound.value(2));
        if (pair.size() != 2 || !pair[0].isText() || !pair[1].isText())
            meter.fail("tojson: expected two texts as separators, found " + typeName(bound.value(2)));
        style.itemSeparator = pair[0].text();
        style.keySeparator = pair[1].text();
    }
    return makeText(meter, toJson(meter, subject, style));
}

}  // namespace

FilterFunction findTextFilter(std::string_view name) {
    static constexpr std::array<FilterEntry, 15> kFilters{{{"upper", upper},
                                                           {"lower", lower},
                                                           {"string", string},
                                                           {"safe", string},
                                                           {"capitalize", capitalize},
                                                           {"title", title},
                                                           {"trim", trim},
                                                           {"replace", replace},
                                                           {"escape", escape},
                                                           {"e", escape},
                                                           {"forceescape", escape},
                                                           {"indent", indent},
                                                           {"center", center},
                                                           {"wordcount", wordCount},
                                                           {"tojson", tojson}}};
    for (const FilterEntry& entry : kFilters)
        if (entry.name == name) return entry.run;
    return nullptr;
}

std::string subjectText(Evaluator& evaluator, const Value& subject) {
    return toText(evaluator.meter(), subject);
}

FilterFunction findFilter(std::string_view name) {
    if (const FilterFunction found = findTextFilter(name)) return found;
    if (const FilterFunction found = findListFilter(name)) return found;
    return findNumberFilter(name);
}

}  // namespace fovea::jinja
