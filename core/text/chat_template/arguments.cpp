#include "text/chat_template/arguments.h"

#include <algorithm>
#include <string_view>

namespace fovea::jinja {

Bound::Bound(Meter& meter, std::string function, const Arguments& arguments,
             std::initializer_list<const char*> parameters)
    : m_meter(meter), m_function(std::move(function)), m_names(parameters), m_values(parameters.size()) {
    if (arguments.positional.size() > m_names.size())
        meter.fail(m_function + " takes at most " + std::to_string(m_names.size()) + " arguments, found " +
                   std::to_string(arguments.positional.size()));
    for (std::size_t i = 0; i < arguments.positional.size(); ++i) m_values[i] = arguments.positional[i];
    for (const auto& [name, value] : arguments.named) {
        const auto at = std::find_if(m_names.begin(), m_names.end(), [&name = name](const char* one) {
            return std::string_view(one) == name;
        });
        if (at == m_names.end())
            meter.fail(m_function + " has no argument named '" + name.substr(0, 60) + "'");
        auto& slot = m_values[static_cast<std::size_t>(at - m_names.begin())];
        if (slot) meter.fail(m_function + " is given the argument '" + name + "' twice");
        slot = value;
    }
}

void Bound::failType(std::size_t at, const char* expected) const {
    m_meter.fail(m_function + ": expected " + expected + " as " + m_names[at] + ", found " +
                 typeName(*m_values[at]));
}

const Value& Bound::value(std::size_t at) const {
    if (!has(at)) m_meter.fail(m_function + ": the argument '" + m_names[at] + "' is missing");
    return *m_values[at];
}

const std::string& Bound::text(std::size_t at) const {
    if (!value(at).isText()) failType(at, "a text");
    return m_values[at]->text();
}

std::int64_t Bound::whole(std::size_t at) const {
    if (!value(at).isWhole()) failType(at, "a whole number");
    return m_values[at]->whole();
}

}  // namespace fovea::jinja
