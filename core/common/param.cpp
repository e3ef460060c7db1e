#include "fovea/param.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "fovea/error.h"
#include "fovea/suggestion.h"

namespace fovea {
namespace {

using nlohmann::json;

const char* typeName(ParamType type) {
    switch (type) {
        case ParamType::Bool: return "bool";
        case ParamType::Integer: return "integer";
        case ParamType::Number: return "number";
        case ParamType::Text: return "text";
        case ParamType::Choice: return "choice";
        case ParamType::Tokens: return "tokens";
        case ParamType::Layers: return "layers";
        case ParamType::Heads: return "heads";
        case ParamType::Class: return "class";
    }
    return "text";
}

std::string joined(const std::vector<std::string>& words) {
    return fmt::format("{}", fmt::join(words, ", "));
}

std::string rangeText(const ParamSpec& spec) {
    if (std::isinf(spec.minimum) && std::isinf(spec.maximum)) return "";
    if (std::isinf(spec.maximum)) return fmt::format(" of at least {}", spec.minimum);
    if (std::isinf(spec.minimum)) return fmt::format(" of at most {}", spec.maximum);
    return fmt::format(" from {} to {}", spec.minimum, spec.maximum);
}

bool isNumeric(const ParamSpec& spec) {
    return spec.type == ParamType::Integer || spec.type == ParamType::Number;
}

std::string orWord(const ParamSpec& spec) {
    return spec.choices.empty() ? "" : fmt::format(", or \"{}\"", spec.choices.front());
}

std::string expectation(const ParamSpec& spec) {
    switch (spec.type) {
        case ParamType::Bool: return "true or false";
        case ParamType::Integer: return "an integer" + rangeText(spec) + orWord(spec);
        case ParamType::Number: return "a number" + rangeText(spec) + orWord(spec);
        case ParamType::Choice: return "one of " + joined(spec.choices);
        case ParamType::Class: return "a class index or label, or \"top\"";
        default: return "a text";
    }
}

std::string meant(const ParamSpec& spec, const json& found) {
    if (spec.type != ParamType::Choice || !found.is_string()) return {};
    const std::string choice = closestWord(found.get<std::string>(), spec.choices);
    return choice.empty() ? "" : "did you mean \"" + choice + "\"? ";
}

[[noreturn]] void reject(const EntryInfo& owner, const ParamSpec& spec, const json& found) {
    throw Error(fmt::format("{}: parameter \"{}\": expected {}, found {}", owner.id, spec.name,
                            expectation(spec), found.dump(-1, ' ', false, json::error_handler_t::replace)),
                meant(spec, found) + spec.help, ErrorCode::Usage);
}

bool inRange(const ParamSpec& spec, double value) {
    return std::isfinite(value) && value >= spec.minimum && value <= spec.maximum;
}

// The value in its canonical form, or a rejection.
json checked(const EntryInfo& owner, const ParamSpec& spec, const json& value) {
    if (isNumeric(spec) && !spec.choices.empty() && value == spec.choices.front())
        return checked(owner, spec, spec.minimum);
    switch (spec.type) {
        case ParamType::Bool:
            if (value.is_boolean()) return value;
            break;
        case ParamType::Integer:
            if (value.is_number() && inRange(spec, value.get<double>()) &&
                std::floor(value.get<double>()) == value.get<double>() &&
                std::abs(value.get<double>()) < 0x1p53)
                return static_cast<std::int64_t>(value.get<double>());
            break;
        case ParamType::Number:
            if (value.is_number() && inRange(spec, value.get<double>())) return value.get<double>();
            break;
        case ParamType::Choice:
            if (value.is_string() && std::find(spec.choices.begin(), spec.choices.end(),
                                               value.get<std::string>()) != spec.choices.end())
                return value;
            break;
        case ParamType::Tokens:
        case ParamType::Layers:
        case ParamType::Heads:
        case ParamType::Class:
            // A lone index is as good as its text.
            if (value.is_number_integer()) return std::to_string(value.get<std::int64_t>());
            [[fallthrough]];
        case ParamType::Text:
            if (value.is_string() && value.get<std::string>().size() <= 65536) return value;
            break;
    }
    reject(owner, spec, value);
}

const ParamSpec& specOf(const EntryInfo& owner, const std::string& name) {
    for (const ParamSpec& spec : owner.params)
        if (spec.name == name) return spec;
    std::vector<std::string> known;
    for (const ParamSpec& spec : owner.params) known.push_back(spec.name);
    throw Error(fmt::format("{} has no parameter \"{}\"", owner.id, name),
                known.empty() ? "it takes no parameters" : suggestionHint(name, known),
                ErrorCode::Usage);
}

template <typename Number>
bool parses(const std::string& text, Number& number) {
    const char* end = text.data() + text.size();
    const auto [rest, problem] = std::from_chars(text.data(), end, number);
    return problem == std::errc() && rest == end;
}

}  // namespace

std::string wordOf(const ParamSpec& spec, const json& value) {
    const bool lowest = isNumeric(spec) && value.is_number() && value.get<double>() == spec.minimum;
    return lowest && !spec.choices.empty() ? spec.choices.front() : std::string();
}

json checkedParams(const EntryInfo& owner, const json& given) {
    if (!given.is_null() && !given.is_object())
        throw Error(
            fmt::format("{}: expected a JSON object of parameters, found {}", owner.id, given.type_name()),
            "Write the parameters as {\"name\": value}.", ErrorCode::Usage);
    json values = json::object();
    for (const ParamSpec& spec : owner.params) values[spec.name] = spec.defaultValue;
    if (given.is_object())
        for (const auto& [name, value] : given.items())
            values[name] = checked(owner, specOf(owner, name), value);
    return values;
}

json paramFromText(const EntryInfo& owner, const std::string& name, const std::string& text) {
    const ParamSpec& spec = specOf(owner, name);
    json value = text;
    if (spec.type == ParamType::Bool) {
        if (text == "true" || text == "1" || text == "yes" || text == "on") value = true;
        if (text == "false" || text == "0" || text == "no" || text == "off") value = false;
    } else if (spec.type == ParamType::Integer) {
        if (std::int64_t number = 0; parses(text, number)) value = number;
    } else if (spec.type == ParamType::Number) {
        if (double number = 0; parses(text, number)) value = number;
    }
    return checked(owner, spec, value);
}

json toJson(const EntryInfo& info) {
    json params = json::array();
    for (const ParamSpec& spec : info.params) {
        json param = {{"name", spec.name},
                      {"type", typeName(spec.type)},
                      {"default", spec.defaultValue},
                      {"help", spec.help}};
        if (std::isfinite(spec.minimum)) param["minimum"] = spec.minimum;
        if (std::isfinite(spec.maximum)) param["maximum"] = spec.maximum;
        if (!spec.choices.empty() && isNumeric(spec)) param["lowest"] = spec.choices.front();
        if (!spec.choices.empty() && !isNumeric(spec)) param["choices"] = spec.choices;
        if (!spec.unit.empty()) param["unit"] = spec.unit;
        params.push_back(std::move(param));
    }
    return {{"id", info.id}, {"title", info.title}, {"help", info.help}, {"params", params}};
}

}  // namespace fovea
