#pragma once

#include <optional>
#include <string>

#include "text/chat_template/value.h"

namespace fovea::jinja {

/// How tojson writes, with the defaults of transformers.
struct JsonStyle {
    bool asciiOnly = false;
    bool sortKeys = false;
    std::optional<std::string> indent;  ///< one level of it; without it everything is on one line
    std::string itemSeparator = ", ";
    std::string keySeparator = ": ";
};

/// A value as Python's json.dumps writes it; fails on what JSON has no form for.
std::string toJson(Meter& meter, const Value& value, const JsonStyle& style);

}  // namespace fovea::jinja
