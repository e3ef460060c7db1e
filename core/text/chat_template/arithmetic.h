#pragma once

#include <string>

#include "text/chat_template/value.h"

namespace fovea::jinja {

/// left operation right for + - * / // % ** as Python has it, whole numbers within 64 bits.
Value calculate(Meter& meter, const std::string& operation, const Value& left, const Value& right);
Value negate(Meter& meter, const Value& value);
Value keepSign(Meter& meter, const Value& value);

}  // namespace fovea::jinja
