// Functions that templates may call, and the methods of values but texts.
#include "text/chat_template/functions.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <string>

#include "common/local_time.h"
#include "text/chat_template/evaluator.h"
#include "text/chat_template/python_text.h"

namespace fovea::jinja {
namespace {

constexpr std::array<std::string_view, 8> kFunctions{"range",  "dict",   "namespace", "raise_exception",
                                                     "cycler", "joiner", "lipsum",    "strftime_now"};
constexpr std::array<std::string_view, 5> kMappingMethods{"items", "keys", "values", "get", "copy"};
constexpr std::array<std::string_view, 2> kListMethods{"index", "count"};
constexpr std::array<std::string_view, 2> kLoopMethods{"cycle", "changed"};
constexpr std::array<std::string_view, 5> kMappingChanges{"clear", "pop", "popitem", "setdefault", "update"};
constexpr std::array<std::string_view, 9> kListChanges{"append", "clear",   "extend", "insert",     "pop",
                                                       "remove", "reverse", "sort",   "__setitem__"};
constexpr std::int64_t kLongestRange = 100'000;  // that of the sandbox of transformers

template <typename Names>
bool isOneOf(const Names& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

Value range(Meter& meter, const Arguments& given) {
    if (!given.named.empty() || given.positional.empty() || given.positional.size() > 3)
        meter.fail("range: expected one to three whole numbers");
    std::array<std::int64_t, 3> bounds{0, 0, 1};
    for (std::size_t i = 0; i < given.positional.size(); ++i) {
        if (!given.positional[i].isWhole())
            meter.fail("range: expected whole numbers, found " + typeName(given.positional[i]));
        bounds[given.positional.size() == 1 ? 1 : i] = given.positional[i].whole();
    }
    const auto [start, stop, step] = bounds;
    if (step == 0) meter.fail("range: the step is zero");
    const double count =
        std::max(0.0, (static_cast<double>(stop) - static_cast<double>(start)) / static_cast<double>(step));
    if (count > kLongestRange)
        meter.fail("range: expected at most " + std::to_string(kLongestRange) + " numbers, found more");
    std::vector<Value> items;
    for (std::int64_t i = start; step > 0 ? i < stop : i > stop; i += step) {
        items.push_back(Value(i));
        std::int64_t next = 0;
        if (__builtin_add_overflow(i, step, &next)) break;
    }
    Value made = makeSequence(meter, std::move(items), SequenceType::Range);
    made.sequence()->range = bounds;
    return made;
}

/// The pairs of dict() and namespace(): those of one dictionary or list of pairs, then the named ones.
void addPairs(Meter& meter, const Arguments& given, MappingBuilder& builder) {
    if (given.positional.size() > 1) meter.fail("expected at most one dictionary, found more");
    if (!given.positional.empty()) {
        const Value& source = given.positional[0];
        if (const Mapping* dictionary = source.mapping()) {
            for (const auto& [key, value] : dictionary->items) builder.put(key, value);
        } else {
            for (const Value& item : iterate(meter, source)) {
                const std::vector<Value> pair = iterate(meter, item);
                if (pair.size() != 2)
                    meter.fail("expected pairs of a key and a value, found " + typeName(item));
                builder.put(pair[0], pair[1]);
            }
        }
    }
    for (const auto& [name, value] : given.named) builder.put(makeText(meter, name), value);
}

Value makeNamespace(Evaluator& e, const Arguments& given) {
    MappingBuilder builder(e.meter());
    addPairs(e.meter(), given, builder);
    const Value pairs = builder.take();
    std::vector<std::pair<std::string, Value>> items;
    for (const auto& [key, value] : pairs.mapping()->items) {
        if (!key.isText()) e.meter().fail("namespace: expected texts as names, found " + typeName(key));
        items.emplace_back(key.text(), value);
    }
    return e.makeNamespace(std::move(items));
}

Value timeText(Meter& meter, const Arguments& given) {
    const std::string& format = Bound(meter, "strftime_now", given, {"format"}).text(0);
    if (format.size() > 200) meter.fail("strftime_now: expected a format of at most 200 bytes");
    if (format.empty()) return makeText(meter, "");
    const std::tm local = localTime(std::time(nullptr));
    char buffer[8192];
    return makeText(meter, std::string(buffer, std::strftime(buffer, sizeof buffer, format.c_str(), &local)));
}

Value pairOf(Meter& meter, const std::pair<Value, Value>& item) {
    return makeSequence(meter, {item.first, item.second}, SequenceType::Tuple);
}

Value callMappingMethod(Meter& meter, const Value& object, const std::string& name, const Arguments& given) {
    const Mapping& dictionary = *object.mapping();
    if (name == "get") {
        const Bound bound(meter, name, given, {"key", "default"});
        checkHashable(meter, bound.value(0));
        const Value* found = find(meter, dictionary, bound.value(0));
        return found ? *found : bound.valueOr(1, Value(None{}));
    }
    Bound(meter, name, given, {});
    if (name == "copy") return object;
    std::vector<Value> view;
    for (const auto& item : dictionary.items)
        view.push_back(name == "keys" ? item.first : name == "values" ? item.second : pairOf(meter, item));
    return makeSequence(meter, std::move(view),
                        name == "keys"     ? SequenceType::Keys
                        : name == "values" ? SequenceType::Values
                                           : SequenceType::Items);
}

Value callListMethod(Meter& meter, const Sequence& list, const std::string& name, const Arguments& given) {
    const Bound bound(meter, name, given, {"value"});
    std::int64_t count = 0;
    for (std::size_t i = 0; i < list.items.size(); ++i) {
        if (!equal(meter, list.items[i], bound.value(0))) continue;
        if (name == "index") return Value(static_cast<std::int64_t>(i));
        ++count;
    }
    if (name == "index") meter.fail("index: the list has no such item");
    return Value(count);
}

Value callLoopMethod(Meter& meter, LoopState& loop, const std::string& name, const Arguments& given) {
    if (!given.named.empty()) meter.fail(name + " takes no named arguments");
    if (name == "cycle") {
        if (given.positional.empty()) meter.fail("cycle: expected values to go through, found none");
        return given.positional[loop.index % given.positional.size()];
    }
    const bool known = loop.changedOn.size() == given.positional.size() + 1;
    bool same = known;
    for (std::size_t i = 0; same && i < given.positional.size(); ++i)
        same = equal(meter, loop.changedOn[i], given.positional[i]);
    if (same) return Value(false);
    loop.changedOn = given.positional;
    loop.changedOn.emplace_back();  // marks that there was a call, even one without values
    return Value(true);
}

}  // namespace

bool isFunction(std::string_view name) {
    return isOneOf(kFunctions, name);
}

Value callFunction(Evaluator& evaluator, const std::string& name, const Arguments& arguments) {
    Meter& meter = evaluator.meter();
    if (name == "range") return range(meter, arguments);
    if (name == "namespace") return makeNamespace(evaluator, arguments);
    if (name == "strftime_now") return timeText(meter, arguments);
    if (name == "raise_exception") {
        const Value message = Bound(meter, name, arguments, {"message"}).value(0);
        throw Refusal({meter.line(), 0}, toText(meter, message).substr(0, 2000));
    }
    if (name != "dict") meter.fail("the function '" + name + "' is not supported in chat templates");
    MappingBuilder builder(meter);
    addPairs(meter, arguments, builder);
    return builder.take();
}

bool isMethod(const Value& object, std::string_view name) {
    if (object.isText()) return isTextMethod(name);
    if (object.mapping()) return isOneOf(kMappingMethods, name);
    if (object.loop()) return isOneOf(kLoopMethods, name);
    const bool isList = object.isSequence(SequenceType::List) || object.isSequence(SequenceType::Tuple) ||
                        object.isSequence(SequenceType::Range);
    return isList && isOneOf(kListMethods, name);
}

bool changesValue(const Value& object, std::string_view name) {
    if (object.mapping()) return isOneOf(kMappingChanges, name);
    return object.isSequence(SequenceType::List) && isOneOf(kListChanges, name);
}

Value callMethod(Evaluator& evaluator, const Value& object, const std::string& name,
                 const Arguments& arguments) {
    Meter& meter = evaluator.meter();
    if (object.isText()) return callTextMethod(evaluator, object.text(), name, arguments);
    if (object.mapping()) return callMappingMethod(meter, object, name, arguments);
    if (LoopState* loop = object.loop()) return callLoopMethod(meter, *loop, name, arguments);
    return callListMethod(meter, *object.sequence(), name, arguments);
}

}  // namespace fovea::jinja
