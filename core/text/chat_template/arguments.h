#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/chat_template/value.h"

namespace fovea::jinja {

struct Arguments {
    std::vector<Value> positional;
    std::vector<std::pair<std::string, Value>> named;
};

/// Arguments in the order of a function's parameters; fails on one too many or one of an unknown name.
class Bound {
public:
    Bound(Meter& meter, std::string function, const Arguments& arguments,
          std::initializer_list<const char*> parameters);

    bool has(std::size_t at) const { return m_values[at].has_value(); }
    /// Fails where the argument is left out.
    const Value& value(std::size_t at) const;
    Value valueOr(std::size_t at, Value other) const { return has(at) ? *m_values[at] : std::move(other); }
    const std::string& text(std::size_t at) const;
    std::string textOr(std::size_t at, std::string other) const {
        return has(at) ? text(at) : std::move(other);
    }
    bool truthOr(std::size_t at, bool other) const { return has(at) ? truth(*m_values[at]) : other; }
    std::int64_t whole(std::size_t at) const;
    std::int64_t wholeOr(std::size_t at, std::int64_t other) const { return has(at) ? whole(at) : other; }

private:
    [[noreturn]] void failType(std::size_t at, const char* expected) const;

    Meter& m_meter;
    std::string m_function;
    std::vector<const char*> m_names;
    std::vector<std::optional<Value>> m_values;
};

}  // namespace fovea::jinja
