// Filters on lists and dictionaries.
#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "text/chat_template/access.h"
#include "text/chat_template/evaluator.h"
#include "text/chat_template/functions.h"
#include "text/chat_template/python_text.h"
#include "text/chat_template/unicode_text.h"

namespace fovea::jinja {
namespace {

Value generator(Evaluator& e, std::vector<Value> items) {
    return makeSequence(e.meter(), std::move(items), SequenceType::Generator);
}

Value defaultValue(Evaluator& e, const Value& subject, const Arguments& given) {
    const Bound bound(e.meter(), "default", given, {"default_value", "boolean"});
    const bool replaced = subject.isUndefined() || (bound.truthOr(1, false) && !truth(subject));
    if (!replaced) return subject;
    return bound.has(0) ? bound.value(0) : makeText(e.meter(), "");
}

Value length(Evaluator& e, const Value& subject, const Arguments& given) {
    Bound(e.meter(), "length", given, {});
    const std::int64_t count = lengthOf(subject);
    if (subject.isText()) e.meter().scan(subject.text().size() * 4);
    if (count < 0) e.meter().fail("length: expected something that has a length, found " + typeName(subject));
    return Value(count);
}

Value first(Evaluator& e, const Value& subject, const Arguments& given) {
    Bound(e.meter(), "first", given, {});
    if (Sequence* list = subject.sequence()) {
        if (list->next >= list->items.size())
            return Value::undefined("there is no first item, the list is empty");
        const Value item = list->items[list->next];
        if (list->type == SequenceType::Generator) ++list->next;
        return item;
    }
    const std::vector<Value> items = iterate(e.meter(), subject);
    return items.empty() ? Value::undefined("there is no first item, the list is empty") : items.front();
}

Value last(Evaluator& e, const Value& subject, const Arguments& given) {
    Bound(e.meter(), "last", given, {});
    if (subject.isSequence(SequenceType::Generator))
        e.meter().fail("last: expected a list, found a generator");
    const std::vector<Value> items = iterate(e.meter(), subject);
    return items.empty() ? Value::undefined("there is no last item, the list is empty") : items.back();
}

Value list(Evaluator& e, const Value& subject, const Arguments& given) {
    Bound(e.meter(), "list", given, {});
    return makeSequence(e.meter(), iterate(e.meter(), subject));
}

Value reverse(Evaluator& e, const Value& subject, const Arguments& given) {
    Bound(e.meter(), "reverse", given, {});
    if (subject.isText())
        return sliceOf(e.meter(), subject, Value(None{}), Value(None{}), Value(std::int64_t{-1}));
    std::vector<Value> items = iterate(e.meter(), subject);
    std::reverse(items.begin(), items.end());
    return generator(e, std::move(items));
}

Value join(Evaluator& e, const Value& subject, const Arguments& given) {
    const Bound bound(e.meter(), "join", given, {"d", "attribute"});
    const std::string between = bound.has(0) ? toText(e.meter(), bound.value(0)) : "";
    std::string made;
    bool isFirst = true;
    for (const Value& item : iterate(e.meter(), subject)) {
        if (!isFirst) made += between;
        isFirst = false;
        const bool follows = bound.has(1) && !bound.value(1).isNone();
        made += toText(e.meter(), follows ? pathOf(e.meter(), item, bound.value(1)) : item);
        e.meter().checkText(made.size());
    }
    return makeText(e.meter(), std::move(made));
}

Value items(Evaluator& e, const Value& subject, const Arguments& given) {
    Bound(e.meter(), "items", given, {});
    std::vector<Value> pairs;
    if (!subject.isUndefined() && !subject.mapping())
        e.meter().fail("items: expected a dictionary, found " + typeName(subject));
    if (const Mapping* dictionary = subject.mapping())
        for (const auto& [key, value] : dictionary->items)
            pairs.push_back(makeSequence(e.meter(), {key, value}, SequenceType::Tuple));
    return generator(e, std::move(pairs));
}

/// What sorting compares: texts in small letters unless the case matters.
Value sortKey(Evaluator& e, const Value& value, bool caseMatters) {
    return value.isText() && !caseMatters ? makeText(e.meter(), toLower(value.text())) : value;
}

using Keyed = std::pair<Value, Value>;

std::vector<Value> sortedBy(Evaluator& e, std::vector<Keyed> keyed, bool backwards) {
    std::stable_sort(keyed.begin(), keyed.end(), [&](const Keyed& a, const Keyed& b) {
        return backwards ? before(e.meter(), b.first, a.first) : before(e.meter(), a.first, b.first);
    });
    std::vector<Value> sorted;
    for (Keyed& one : keyed) sorted.push_back(std::move(one.second));
    return sorted;
}

/// What an item is compared by: itself or what lies at a path in it.
Value keyOf(Evaluator& e, const Value& item, const Value* path, bool caseMatters) {
    return sortKey(e, path ? pathOf(e.meter(), item, *path) : item, caseMatters);
}

/// The keys of an item by one path, or several separated by commas.
Value keysOf(Evaluator& e, const Value& item, const Value* paths, bool caseMatters) {
    if (paths == nullptr || !paths->isText())
        return makeSequence(e.meter(), {keyOf(e, item, paths, caseMatters)});
    std::vector<Value> keys;
    for (std::string_view rest = paths->text();;) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        const Value path = makeText(e.meter(), std::string(rest.substr(0, comma)));
        keys.push_back(keyOf(e, item, &path, caseMatters));
        if (comma == rest.size()) break;
        rest.remove_prefix(comma + 1);
    }
    return makeSequence(e.meter(), std::move(keys));
}

const Value* given(const Bound& bound, std::size_t at) {
    return bound.has(at) && !bound.value(at).isNone() ? &bound.value(at) : nullptr;
}

Value sort(Evaluator& e, const Value& subject, const Arguments& arguments) {
    const Bound bound(e.meter(), "sort", arguments, {"reverse", "case_sensitive", "attribute"});
    std::vector<Keyed> keyed;
    for (const Value& item : iterate(e.meter(), subject))
        keyed.emplace_back(keysOf(e, item, given(bound, 2), bound.truthOr(1, false)), item);
    return makeSequence(e.meter(), sortedBy(e, std::move(keyed), bound.truthOr(0, false)));
}

Value dictsort(Evaluator& e, const Value& subject, const Arguments& arguments) {
    const Bound bound(e.meter(), "dictsort", arguments, {"case_sensitive", "by", "reverse"});
    const std::string by = bound.textOr(1, "key");
    if (by != "key" && by != "value")
        e.meter().fail("dictsort: expected 'key' or 'value' as by, found '" + by + "'");
    if (subject.isUndefined()) failUndefined(e.meter(), subject);
    if (!subject.mapping()) e.meter().fail("dictsort: expected a dictionary, found " + typeName(subject));
    std::vector<Keyed> keyed;
    for (const auto& [key, value] : subject.mapping()->items)
        keyed.emplace_back(sortKey(e, by == "key" ? key : value, bound.truthOr(0, false)),
                           makeSequence(e.meter(), {key, value}, SequenceType::Tuple));
    return makeSequence(e.meter(), sortedBy(e, std::move(keyed), bound.truthOr(2, false)));
}

Value unique(Evaluator& e, const Value& subject, const Arguments& arguments) {
    const Bound bound(e.meter(), "unique", arguments, {"case_sensitive", "attribute"});
    std::vector<Value> seen, kept;
    for (const Value& item : iterate(e.meter(), subject)) {
        Value key = keyOf(e, item, given(bound, 1), bound.truthOr(0, false));
        checkHashable(e.meter(), key);
        const bool known = std::any_of(seen.begin(), seen.end(),
                                       [&](const Value& one) { return equal(e.meter(), one, key); });
        if (known) continue;
        seen.push_back(std::move(key));
        kept.push_back(item);
    }
    return generator(e, std::move(kept));
}

Arguments after(const Arguments& arguments, std::size_t count) {
    Arguments rest;
    rest.positional.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(count),
                           arguments.positional.end());
    rest.named = arguments.named;
    return rest;
}

Value map(Evaluator& e, const Value& subject, const Arguments& arguments) {
    std::vector<Value> made;
    if (!truth(subject)) return generator(e, {});
    if (arguments.positional.empty()) {
        const Bound bound(e.meter(), "map", {{}, arguments.named}, {"attribute", "default"});
        for (const Value& item : iterate(e.meter(), subject)) {
            made.push_back(pathOf(e.meter(), item, bound.value(0), bound.valueOr(1, Value())));
        }
        return generator(e, std::move(made));
    }
    if (!arguments.positional[0].isText()) e.meter().fail("map: expected the name of a filter");
    const Arguments rest = after(arguments, 1);
    for (const Value& item : iterate(e.meter(), subject))
        made.push_back(e.filter(arguments.positional[0].text(), item, rest));
    return generator(e, std::move(made));
}

/// select and its relatives; by the value of an attribute where path is given.
Value keep(Evaluator& e, const Value& subject, const Arguments& arguments, bool wanted, bool byAttribute) {
    const std::size_t at = byAttribute ? 1 : 0;
    if (!truth(subject)) return generator(e, {});
    if (arguments.positional.size() < at) e.meter().fail("expected the name of the attribute to select by");
    const bool hasTest = arguments.positional.size() > at;
    if (hasTest && !arguments.positional[at].isText())
        e.meter().fail("expected the name of a test to select by");
    const Arguments rest = hasTest ? after(arguments, at + 1) : Arguments{};
    std::vector<Value> kept;
    for (const Value& item : iterate(e.meter(), subject)) {
        const Value value = byAttribute ? pathOf(e.meter(), item, arguments.positional[0]) : item;
        const bool holds = hasTest ? e.test(arguments.positional[at].text(), value, rest) : truth(value);
        if (holds == wanted) kept.push_back(item);
    }
    return generator(e, std::move(kept));
}

Value select(Evaluator& e, const Value& subject, const Arguments& arguments) {
    return keep(e, subject, arguments, true, false);
}
Value reject(Evaluator& e, const Value& subject, const Arguments& arguments) {
    return keep(e, subject, arguments, false, false);
}
Value selectattr(Evaluator& e, const Value& subject, const Arguments& arguments) {
    return keep(e, subject, arguments, true, true);
}
Value rejectattr(Evaluator& e, const Value& subject, const Arguments& arguments) {
    return keep(e, subject, arguments, false, true);
}

Value attr(Evaluator& e, const Value& subject, const Arguments& arguments) {
    const Bound bound(e.meter(), "attr", arguments, {"name"});
    const bool isItem = subject.mapping() && !isMethod(subject, bound.text(0));
    return isItem ? Value::undefined("a dictionary has no attribute '" + bound.text(0).substr(0, 60) + "'")
                  : attributeOf(e.meter(), subject, bound.text(0));
}

Value extreme(Evaluator& e, const Value& subject, const Arguments& arguments, bool largest) {
    const Bound bound(e.meter(), largest ? "max" : "min", arguments, {"case_sensitive", "attribute"});
    const std::vector<Value> all = iterate(e.meter(), subject);
    if (all.empty()) return Value::undefined("there is no smallest or largest item, the list is empty");
    std::size_t best = 0;
    Value bestKey;
    for (std::size_t i = 0; i < all.size(); ++i) {
        Value key = keyOf(e, all[i], given(bound, 1), bound.truthOr(0, false));
        const bool better =
            i == 0 || (largest ? before(e.meter(), bestKey, key) : before(e.meter(), key, bestKey));
        if (!better) continue;
        best = i;
        bestKey = std::move(key);
    }
    return all[best];
}
Value min(Evaluator& e, const Value& subject, const Arguments& arguments) {
    return extreme(e, subject, arguments, false);
}
Value max(Evaluator& e, const Value& subject, const Arguments& arguments) {
    return extreme(e, subject, arguments, true);
}

}  // namespace

FilterFunction findListFilter(std::string_view name) {
    static constexpr std::array<FilterEntry, 21> kFilters{{{"default", defaultValue},
                                                           {"d", defaultValue},
                                                           {"length", length},
                                                           {"count", length},
                                                           {"first", first},
                                                           {"last", last},
                                                           {"list", list},
                                                           {"reverse", reverse},
                                                           {"join", join},
                                                           {"items", items},
                                                           {"sort", sort},
                                                           {"dictsort", dictsort},
                                                           {"unique", unique},
                                                           {"map", map},
                                                           {"select", select},
                                                           {"reject", reject},
                                                           {"selectattr", selectattr},
                                                           {"rejectattr", rejectattr},
                                                           {"attr", attr},
                                                           {"min", min},
                                                           {"max", max}}};
    for (const FilterEntry& entry : kFilters)
        if (entry.name == name) return entry.run;
    return nullptr;
}

}  // namespace fovea::jinja
