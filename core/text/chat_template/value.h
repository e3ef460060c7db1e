#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "text/chat_template/limits.h"

namespace fovea::jinja {

class Value;
struct MacroStatement;
class Scope;

enum class SequenceType { List, Tuple, Range, Keys, Values, Items, Generator };

/// Everything that is iterated in order. A generator can be walked only once and has neither length nor
/// items.
struct Sequence {
    SequenceType type = SequenceType::List;
    std::vector<Value> items;
    int depth = 1;
    std::array<std::int64_t, 3> range{};  ///< of SequenceType::Range: start, stop, step
    std::size_t next = 0;                 ///< of a generator: what is left
};

struct Undefined {
    std::shared_ptr<const std::string> why;
};
struct None {};
struct Mapping;
struct Namespace;
struct Callable;
struct LoopState;

/// A value of the template language; copies share their contents, which never change but for namespaces and
/// loops.
class Value {
public:
    using Text = std::shared_ptr<const std::string>;
    using Store = std::variant<Undefined, None, bool, std::int64_t, double, Text, std::shared_ptr<Sequence>,
                               std::shared_ptr<const Mapping>, std::shared_ptr<Namespace>,
                               std::shared_ptr<const Callable>, std::shared_ptr<LoopState>>;

    Value() = default;
    Value(None none) : m_store(none) {}
    Value(bool value) : m_store(value) {}
    Value(std::int64_t value) : m_store(value) {}
    Value(double value) : m_store(value) {}
    Value(const char*) = delete;  // would be a boolean
    template <typename T>
    Value(std::shared_ptr<T> shared) : m_store(std::move(shared)) {}
    static Value undefined(std::string why) {
        Value value;
        value.m_store = Undefined{std::make_shared<const std::string>(std::move(why))};
        return value;
    }

    bool isUndefined() const { return std::holds_alternative<Undefined>(m_store); }
    bool isNone() const { return std::holds_alternative<None>(m_store); }
    bool isBoolean() const { return std::holds_alternative<bool>(m_store); }
    bool isInteger() const { return std::holds_alternative<std::int64_t>(m_store); }
    bool isReal() const { return std::holds_alternative<double>(m_store); }
    bool isNumber() const { return isBoolean() || isInteger() || isReal(); }
    bool isWhole() const { return isBoolean() || isInteger(); }
    bool isText() const { return std::holds_alternative<Text>(m_store); }
    bool isCallable() const { return std::holds_alternative<std::shared_ptr<const Callable>>(m_store); }

    /// The text of a text, the number of a boolean or integer, the number of any number.
    const std::string& text() const { return *std::get<Text>(m_store); }
    std::int64_t whole() const {
        return isBoolean() ? std::get<bool>(m_store) : std::get<std::int64_t>(m_store);
    }
    double real() const { return isReal() ? std::get<double>(m_store) : static_cast<double>(whole()); }

    /// Null when the value is of another kind.
    Sequence* sequence() const { return pointer<Sequence>(); }
    const Mapping* mapping() const { return pointer<const Mapping>(); }
    Namespace* nameSpace() const { return pointer<Namespace>(); }
    const Callable* callable() const { return pointer<const Callable>(); }
    LoopState* loop() const { return pointer<LoopState>(); }
    bool isSequence(SequenceType type) const { return sequence() != nullptr && sequence()->type == type; }

    const Store& store() const { return m_store; }
    /// How many containers lie within one another.
    int depth() const;

private:
    template <typename T>
    T* pointer() const {
        const auto* held = std::get_if<std::shared_ptr<T>>(&m_store);
        return held ? held->get() : nullptr;
    }

    Store m_store;
};

/// A dictionary in order of insertion.
struct Mapping {
    std::vector<std::pair<Value, Value>> items;
    int depth = 1;
};

struct Namespace {
    std::vector<std::pair<std::string, Value>> items;
};

/// A function of the language, a macro, or a method of a value.
struct Callable {
    std::string name;
    Value object;                           ///< of a method
    const MacroStatement* macro = nullptr;  ///< of a macro
    std::shared_ptr<Scope> scope;           ///< in which the macro was defined
};

struct LoopState {
    std::vector<Value> items;
    std::size_t index = 0;
    std::vector<Value> changedOn;  ///< what loop.changed() was last asked about
};

Value makeText(Meter& meter, std::string text);
Value makeSequence(Meter& meter, std::vector<Value> items, SequenceType type = SequenceType::List);

/// Fills a dictionary; a key that is there keeps its place and takes the new value.
class MappingBuilder {
public:
    explicit MappingBuilder(Meter& meter) : m_meter(meter), m_made(std::make_shared<Mapping>()) {}
    void put(const Value& key, Value value);
    Value take() { return Value(std::shared_ptr<const Mapping>(std::move(m_made))); }

private:
    Meter& m_meter;
    std::shared_ptr<Mapping> m_made;
};

/// Fails on what cannot be a key: lists, dictionaries, and tuples of them.
void checkHashable(Meter& meter, const Value& key);

Value fromJson(Meter& meter, const nlohmann::ordered_json& json);

/// Null when there is no such key.
const Value* find(Meter& meter, const Mapping& mapping, const Value& key);
const Value* find(Meter& meter, const Mapping& mapping, std::string_view key);

bool truth(const Value& value);
bool equal(Meter& meter, const Value& a, const Value& b);
/// Whether a comes before b; texts by code point, numbers by value, sequences item by item; fails on other
/// pairs.
bool before(Meter& meter, const Value& a, const Value& b);
/// Whether `item in container` holds.
bool contains(Meter& meter, const Value& container, const Value& item);
/// The items that a loop over the value sees: of a text its characters, of a dictionary its keys; walks a
/// generator to its end; fails on what cannot be iterated.
std::vector<Value> iterate(Meter& meter, const Value& value);
bool isIterable(const Value& value);
/// The length of what has one, else -1.
std::int64_t lengthOf(const Value& value);
/// The name of the value's type in messages.
std::string typeName(const Value& value);

}  // namespace fovea::jinja
