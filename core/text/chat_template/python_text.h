#pragma once

#include <string>
#include <string_view>

#include "text/chat_template/value.h"

namespace fovea::jinja {

/// What {{ value }} prints: a text itself, nothing for an undefined value, else what Python's str() gives.
std::string toText(Meter& meter, const Value& value);
/// A text as Python's repr() writes it.
void appendQuoted(std::string& text, std::string_view value);
/// A number as Python writes it: 1.0, 1e-05, inf.
std::string realText(double value);

}  // namespace fovea::jinja
