#pragma once

#include <string>
#include <string_view>

#include "text/chat_template/value.h"

namespace fovea::jinja {

/// object.name: a method, else an item of that name, else undefined.
Value attributeOf(Meter& meter, const Value& object, std::string_view name);
/// object[key]: an item, else a method of that name, else undefined.
Value itemOf(Meter& meter, const Value& object, const Value& key);
/// "a.b.0" followed from object on, as the filters do; other takes the place of what is undefined on the way.
Value pathOf(Meter& meter, Value object, const Value& path, const Value& other = {});
/// object[start:stop:step]; none where a bound is left out.
Value sliceOf(Meter& meter, const Value& object, const Value& start, const Value& stop, const Value& step);
/// Fails with the reason why a value is undefined.
[[noreturn]] void failUndefined(Meter& meter, const Value& value);

}  // namespace fovea::jinja
