#include "text/chat_template/value.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "text/chat_template/unicode_text.h"

namespace fovea::jinja {
namespace {

constexpr std::uint64_t kValueBytes = 48;

void checkDepth(Meter& meter, int depth) {
    if (depth > meter.limits().valueDepth)
        meter.fail("expected at most " + std::to_string(meter.limits().valueDepth) +
                   " levels of values within values, found more");
}

bool isHashable(const Value& value) {
    if (value.isSequence(SequenceType::Tuple)) {
        const auto& items = value.sequence()->items;
        return std::all_of(items.begin(), items.end(), isHashable);
    }
    return value.mapping() == nullptr && !value.isSequence(SequenceType::List);
}

bool sameItems(Meter& meter, const std::vector<Value>& a, const std::vector<Value>& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (!equal(meter, a[i], b[i])) return false;
    return true;
}

bool sameMapping(Meter& meter, const Mapping& a, const Mapping& b) {
    if (a.items.size() != b.items.size()) return false;
    for (const auto& [key, value] : a.items) {
        const Value* other = find(meter, b, key);
        if (other == nullptr || !equal(meter, value, *other)) return false;
    }
    return true;
}

[[noreturn]] void failOrder(Meter& meter, const Value& a, const Value& b) {
    for (const Value* value : {&a, &b})
        if (const auto* missing = std::get_if<Undefined>(&value->store()); missing && missing->why)
            meter.fail(*missing->why);
    meter.fail("expected two values that have an order, found " + typeName(a) + " and " + typeName(b));
}

}  // namespace

int Value::depth() const {
    if (const Sequence* list = sequence()) return list->depth;
    if (const Mapping* dictionary = mapping()) return dictionary->depth;
    return 0;
}

Value makeText(Meter& meter, std::string text) {
    meter.checkText(text.size());
    meter.hold(kValueBytes + text.size());
    return Value(std::make_shared<const std::string>(std::move(text)));
}

Value makeSequence(Meter& meter, std::vector<Value> items, SequenceType type) {
    meter.hold(kValueBytes + items.size() * sizeof(Value));
    meter.work(items.size() / 8);
    auto made = std::make_shared<Sequence>();
    made->type = type;
    for (const Value& item : items) made->depth = std::max(made->depth, 1 + item.depth());
    checkDepth(meter, made->depth);
    made->items = std::move(items);
    return Value(std::move(made));
}

void checkHashable(Meter& meter, const Value& key) {
    if (!isHashable(key)) meter.fail("expected a key that can be looked up, found " + typeName(key));
}

void MappingBuilder::put(const Value& key, Value value) {
    checkHashable(m_meter, key);
    m_meter.hold(kValueBytes + 2 * sizeof(Value));
    m_made->depth = std::max(m_made->depth, 1 + std::max(key.depth(), value.depth()));
    checkDepth(m_meter, m_made->depth);
    if (const Value* held = find(m_meter, *m_made, key)) {
        for (auto& [itsKey, itsValue] : m_made->items)
            if (&itsValue == held) itsValue = std::move(value);
        return;
    }
    m_made->items.emplace_back(key, std::move(value));
}

Value fromJson(Meter& meter, const nlohmann::ordered_json& json) {
    // The stack is bounded because a value that is too deep stops the descent.
    struct Level {
        Meter& meter;
        int left;
        Value convert(const nlohmann::ordered_json& json) {
            switch (json.type()) {
                case nlohmann::json::value_t::boolean:
                    return Value(json.get<bool>());
                case nlohmann::json::value_t::number_unsigned:
                    if (json.get<std::uint64_t>() > std::uint64_t{INT64_MAX})
                        meter.fail("expected whole numbers of at most 64 bits, found " + json.dump());
                    [[fallthrough]];
                case nlohmann::json::value_t::number_integer:
                    return Value(json.get<std::int64_t>());
                case nlohmann::json::value_t::number_float:
                    return Value(json.get<double>());
                case nlohmann::json::value_t::string:
                    return makeText(meter, json.get_ref<const std::string&>());
                case nlohmann::json::value_t::array:
                case nlohmann::json::value_t::object:
                    return container(json);
                default:
                    return Value(None{});
            }
        }
        Value container(const nlohmann::ordered_json& json) {
            if (left == 0) checkDepth(meter, meter.limits().valueDepth + 1);
            Level inner{meter, left - 1};
            if (json.is_array()) {
                std::vector<Value> items;
                for (const auto& item : json) items.push_back(inner.convert(item));
                return makeSequence(meter, std::move(items));
            }
            auto made = std::make_shared<Mapping>();
            for (const auto& [key, item] : json.items()) {
                made->items.emplace_back(makeText(meter, key), inner.convert(item));
                made->depth = std::max(made->depth, 1 + made->items.back().second.depth());
            }
            checkDepth(meter, made->depth);
            return Value(std::shared_ptr<const Mapping>(std::move(made)));
        }
    };
    return Level{meter, meter.limits().valueDepth}.convert(json);
}

const Value* find(Meter& meter, const Mapping& mapping, std::string_view key) {
    meter.work(1 + mapping.items.size() / 8);
    for (const auto& [itsKey, value] : mapping.items)
        if (itsKey.isText() && itsKey.text() == key) return &value;
    return nullptr;
}

const Value* find(Meter& meter, const Mapping& mapping, const Value& key) {
    if (key.isText()) return find(meter, mapping, std::string_view(key.text()));
    for (const auto& [itsKey, value] : mapping.items)
        if (equal(meter, itsKey, key)) return &value;
    return nullptr;
}

bool truth(const Value& value) {
    if (value.isUndefined() || value.isNone()) return false;
    if (value.isNumber()) return value.isReal() ? value.real() != 0 : value.whole() != 0;
    if (value.isText()) return !value.text().empty();
    if (const Sequence* list = value.sequence())
        return list->type == SequenceType::Generator || !list->items.empty();
    if (const Mapping* dictionary = value.mapping()) return !dictionary->items.empty();
    return true;
}

bool equal(Meter& meter, const Value& a, const Value& b) {
    meter.work();
    if (a.isNumber() && b.isNumber()) {
        if (a.isWhole() && b.isWhole()) return a.whole() == b.whole();
        return a.real() == b.real();
    }
    if (a.store().index() != b.store().index()) return false;
    if (a.isUndefined() || a.isNone()) return true;
    if (a.isText()) {
        meter.scan(std::min(a.text().size(), b.text().size()));
        return a.text() == b.text();
    }
    if (const Sequence* list = a.sequence()) {
        if (list == b.sequence()) return true;
        if (list->type != b.sequence()->type || list->type == SequenceType::Generator) return false;
        return list->type != SequenceType::Values && sameItems(meter, list->items, b.sequence()->items);
    }
    if (const Mapping* dictionary = a.mapping())
        return dictionary == b.mapping() || sameMapping(meter, *dictionary, *b.mapping());
    return a.store().index() == b.store().index() && a.nameSpace() == b.nameSpace() &&
           a.callable() == b.callable() && a.loop() == b.loop();
}

bool before(Meter& meter, const Value& a, const Value& b) {
    meter.work();
    if (a.isNumber() && b.isNumber()) {
        if (a.isWhole() && b.isWhole()) return a.whole() < b.whole();
        return a.real() < b.real();
    }
    if (a.isText() && b.isText()) {
        meter.scan(std::min(a.text().size(), b.text().size()));
        return a.text() < b.text();
    }
    const Sequence* left = a.sequence();
    const Sequence* right = b.sequence();
    const bool ordered = left && right && left->type == right->type &&
                         (left->type == SequenceType::List || left->type == SequenceType::Tuple);
    if (!ordered) failOrder(meter, a, b);
    for (std::size_t i = 0; i < left->items.size() && i < right->items.size(); ++i)
        if (!equal(meter, left->items[i], right->items[i]))
            return before(meter, left->items[i], right->items[i]);
    return left->items.size() < right->items.size();
}

bool contains(Meter& meter, const Value& container, const Value& item) {
    if (container.isText()) {
        if (!item.isText()) meter.fail("expected a text on the left of `in` a text, found " + typeName(item));
        countSearch(meter, container.text(), item.text());
        return container.text().find(item.text()) != std::string::npos;
    }
    if (const Mapping* dictionary = container.mapping()) {
        checkHashable(meter, item);
        return find(meter, *dictionary, item) != nullptr;
    }
    const std::vector<Value> items = iterate(meter, container);
    return std::any_of(items.begin(), items.end(), [&](const Value& one) { return equal(meter, one, item); });
}

bool isIterable(const Value& value) {
    return value.isUndefined() || value.isText() || value.sequence() || value.mapping() || value.loop();
}

std::vector<Value> iterate(Meter& meter, const Value& value) {
    std::vector<Value> items;
    if (Sequence* list = value.sequence()) {
        items.assign(list->items.begin() + static_cast<std::ptrdiff_t>(list->next), list->items.end());
        if (list->type == SequenceType::Generator) list->next = list->items.size();
    } else if (const Mapping* dictionary = value.mapping()) {
        for (const auto& [key, held] : dictionary->items) items.push_back(key);
    } else if (value.isText()) {
        meter.hold(value.text().size() * (sizeof(Value) + kValueBytes));
        for (std::string_view one : characters(value.text()))
            items.push_back(makeText(meter, std::string(one)));
    } else if (!value.isUndefined()) {
        meter.fail("expected something to go through item by item, found " + typeName(value));
    }
    meter.work(items.size() / 4);
    meter.hold(items.size() * sizeof(Value));
    return items;
}

std::int64_t lengthOf(const Value& value) {
    if (value.isUndefined()) return 0;
    if (value.isText()) return static_cast<std::int64_t>(characterCount(value.text()));
    if (const Mapping* dictionary = value.mapping())
        return static_cast<std::int64_t>(dictionary->items.size());
    if (const Sequence* list = value.sequence(); list && list->type != SequenceType::Generator)
        return static_cast<std::int64_t>(list->items.size());
    return -1;
}

std::string typeName(const Value& value) {
    static const char* const kSequences[] = {"a list",         "a tuple",          "a range",
                                             "a view of keys", "a view of values", "a view of items",
                                             "a generator"};
    if (const Sequence* list = value.sequence()) return kSequences[static_cast<int>(list->type)];
    static const char* const kNames[] = {"an undefined value", "none",       "a boolean", "a whole number",
                                         "a real number",      "a text",     "",          "a dictionary",
                                         "a namespace",        "a function", "a loop"};
    return kNames[value.store().index()];
}

}  // namespace fovea::jinja
