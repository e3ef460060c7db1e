#include "text/chat_template/access.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "text/chat_template/functions.h"
#include "text/chat_template/unicode_text.h"

namespace fovea::jinja {
namespace {

Value missing(const Value& object, std::string_view name) {
    return Value::undefined(typeName(object) + " has no '" + std::string(name.substr(0, 80)) + "'");
}

Value methodOf(const Value& object, std::string_view name) {
    if (changesValue(object, name))
        return Value::undefined("'" + std::string(name) + "' changes " + typeName(object) +
                                ", which templates must not do");
    if (!isMethod(object, name)) return missing(object, name);
    auto method = std::make_shared<Callable>();
    method->name = name;
    method->object = object;
    return Value(std::shared_ptr<const Callable>(std::move(method)));
}

Value namespaceItem(const Value& object, std::string_view name) {
    for (const auto& [key, value] : object.nameSpace()->items)
        if (key == name) return value;
    return missing(object, name);
}

Value loopItem(const Value& object, std::string_view name) {
    const LoopState& loop = *object.loop();
    const auto index = static_cast<std::int64_t>(loop.index);
    const auto length = static_cast<std::int64_t>(loop.items.size());
    if (name == "index") return Value(index + 1);
    if (name == "index0") return Value(index);
    if (name == "revindex") return Value(length - index);
    if (name == "revindex0") return Value(length - index - 1);
    if (name == "first") return Value(index == 0);
    if (name == "last") return Value(index + 1 == length);
    if (name == "length") return Value(length);
    if (name == "depth") return Value(std::int64_t{1});
    if (name == "depth0") return Value(std::int64_t{0});
    if (name == "previtem") return index > 0 ? loop.items[loop.index - 1] : missing(object, name);
    if (name == "nextitem") return index + 1 < length ? loop.items[loop.index + 1] : missing(object, name);
    return methodOf(object, name);
}

Value at(Meter& meter, const Value& object, std::int64_t index) {
    if (object.isText()) {
        meter.scan(object.text().size() * 8);
        const auto all = characters(object.text());
        const auto count = static_cast<std::int64_t>(all.size());
        const std::int64_t place = index < 0 ? index + count : index;
        if (place < 0 || place >= count) return missing(object, std::to_string(index));
        return makeText(meter, std::string(all[static_cast<std::size_t>(place)]));
    }
    const auto& items = object.sequence()->items;
    const auto count = static_cast<std::int64_t>(items.size());
    const std::int64_t place = index < 0 ? index + count : index;
    if (place < 0 || place >= count) return missing(object, std::to_string(index));
    return items[static_cast<std::size_t>(place)];
}

bool hasPlaces(const Value& value) {
    if (value.isText()) return true;
    const Sequence* list = value.sequence();
    return list && (list->type == SequenceType::List || list->type == SequenceType::Tuple ||
                    list->type == SequenceType::Range);
}

struct Bounds {
    std::int64_t start, stop, step;
};

Bounds resolveBounds(Meter& meter, const Value* given, std::int64_t count) {
    const auto read = [&](const Value& value, std::int64_t other) {
        if (value.isNone()) return other;
        if (!value.isWhole())
            meter.fail("expected whole numbers as the bounds of a slice, found " + typeName(value));
        return value.whole();
    };
    const std::int64_t step = read(given[2], 1);
    if (step == 0) meter.fail("the step of a slice is zero");
    if (step == INT64_MIN) meter.fail("the step of a slice is too small");
    const std::int64_t low = step < 0 ? -1 : 0, high = step < 0 ? count - 1 : count;
    const auto clamp = [&](std::int64_t value) {
        if (value < 0) value = value < -count ? -1 - count : value;
        if (value < 0) value += count;
        return std::clamp(value, low, high);
    };
    const std::int64_t start = given[0].isNone() ? (step < 0 ? high : low) : clamp(read(given[0], 0));
    const std::int64_t stop = given[1].isNone() ? (step < 0 ? low : high) : clamp(read(given[1], 0));
    return {start, stop, step};
}

template <typename Take>
void walk(const Bounds& bounds, Take take) {
    for (std::int64_t i = bounds.start; bounds.step > 0 ? i < bounds.stop : i > bounds.stop;) {
        take(static_cast<std::size_t>(i));
        if (bounds.step > 0 ? bounds.stop - i <= bounds.step : bounds.stop - i >= bounds.step) break;
        i += bounds.step;
    }
}

}  // namespace

void failUndefined(Meter& meter, const Value& value) {
    const auto& why = std::get<Undefined>(value.store()).why;
    meter.fail(why ? *why : "a value is undefined");
}

Value attributeOf(Meter& meter, const Value& object, std::string_view name) {
    if (object.isUndefined()) failUndefined(meter, object);
    if (object.nameSpace()) return namespaceItem(object, name);
    if (object.loop()) return loopItem(object, name);
    if (const Mapping* dictionary = object.mapping();
        dictionary && !isMethod(object, name) && !changesValue(object, name))
        if (const Value* found = find(meter, *dictionary, name)) return *found;
    return methodOf(object, name);
}

Value itemOf(Meter& meter, const Value& object, const Value& key) {
    if (object.isUndefined()) failUndefined(meter, object);
    if (const Mapping* dictionary = object.mapping())
        if (const Value* found = find(meter, *dictionary, key)) return *found;
    if (key.isWhole() && hasPlaces(object)) return at(meter, object, key.whole());
    if (key.isText()) return attributeOf(meter, object, key.text());
    return missing(object, key.isWhole() ? std::to_string(key.whole()) : typeName(key));
}

Value pathOf(Meter& meter, Value object, const Value& path, const Value& other) {
    const auto follow = [&](const Value& key) {
        object = itemOf(meter, object, key);
        if (object.isUndefined() && !other.isUndefined()) object = other;
    };
    if (!path.isText()) {
        follow(path);
        return object;
    }
    for (std::string_view rest = path.text();;) {
        const std::size_t dot = std::min(rest.find('.'), rest.size());
        const std::string_view part = rest.substr(0, dot);
        std::int64_t index = 0;
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
        const bool isIndex = error == std::errc() && end == part.data() + part.size() && part[0] != '-';
        follow(isIndex ? Value(index) : makeText(meter, std::string(part)));
        if (dot == rest.size()) return object;
        rest.remove_prefix(dot + 1);
    }
}

Value sliceOf(Meter& meter, const Value& object, const Value& start, const Value& stop, const Value& step) {
    if (object.isUndefined()) failUndefined(meter, object);
    if (!hasPlaces(object))
        meter.fail("expected a list or text to cut a slice from, found " + typeName(object));
    const Value given[3] = {start, stop, step};
    if (object.isText()) {
        meter.scan(object.text().size() * 8);
        const auto all = characters(object.text());
        std::string cut;
        walk(resolveBounds(meter, given, static_cast<std::int64_t>(all.size())),
             [&](std::size_t i) { cut += all[i]; });
        return makeText(meter, std::move(cut));
    }
    const auto& items = object.sequence()->items;
    std::vector<Value> cut;
    walk(resolveBounds(meter, given, static_cast<std::int64_t>(items.size())),
         [&](std::size_t i) { cut.push_back(items[i]); });
    const SequenceType type = object.sequence()->type;
    return makeSequence(meter, std::move(cut), type == SequenceType::Range ? SequenceType::List : type);
}

}  // namespace fovea::jinja
