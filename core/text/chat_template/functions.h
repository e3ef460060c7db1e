#pragma once

#include <string>
#include <string_view>

#include "text/chat_template/arguments.h"

namespace fovea::jinja {

class Evaluator;

using FilterFunction = Value (*)(Evaluator&, const Value& subject, const Arguments&);
struct FilterEntry {
    std::string_view name;
    FilterFunction run;
};
/// Null when the name is in none of the tables.
FilterFunction findTextFilter(std::string_view name);
FilterFunction findListFilter(std::string_view name);
FilterFunction findNumberFilter(std::string_view name);
FilterFunction findFilter(std::string_view name);

using TestFunction = bool (*)(Evaluator&, const Value& subject, const Arguments&);
TestFunction findTest(std::string_view name);

/// Whether templates may call a name that nobody defined (range, namespace ...).
bool isFunction(std::string_view name);
Value callFunction(Evaluator& evaluator, const std::string& name, const Arguments& arguments);

/// Whether a value of this type has a method of that name, and whether it would change the value.
bool isMethod(const Value& object, std::string_view name);
bool changesValue(const Value& object, std::string_view name);
Value callMethod(Evaluator& evaluator, const Value& object, const std::string& name,
                 const Arguments& arguments);
Value callTextMethod(Evaluator& evaluator, const std::string& text, const std::string& name,
                     const Arguments& arguments);
bool isTextMethod(std::string_view name);

/// The subject as text, whatever it is.
std::string subjectText(Evaluator& evaluator, const Value& subject);

}  // namespace fovea::jinja
