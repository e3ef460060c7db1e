#pragma once

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fovea {

/// The kind of value a parameter takes; forms, flags, help and JSON checks follow from it.
enum class ParamType {
    Bool,
    Integer,
    Number,
    Text,
    Choice,  ///< one of ParamSpec::choices
    Tokens,  ///< a token selection, see parseTokens()
    Layers,  ///< a block selection, see parseIndices()
    Heads,   ///< a head selection, see parseIndices()
    Class,   ///< a class index or label of the model; -1 or "top" means the predicted one
};

/// Declares one parameter of an analysis, intervention or painter.
struct ParamSpec {
    std::string name;               ///< snake_case, as in JSON and on the command line
    ParamType type = ParamType::Number;
    nlohmann::json defaultValue;
    std::string help{};             ///< one sentence, shown as tooltip and in --help
    double minimum = -std::numeric_limits<double>::infinity();
    double maximum = std::numeric_limits<double>::infinity();
    std::vector<std::string> choices{};  ///< of a Choice; of a number, the word for its lowest value where that means more
    std::string unit{};
};

/// What a catalogue entry says of itself.
struct EntryInfo {
    std::string id;     ///< the file's stem
    std::string title;
    std::string help;   ///< one line, with the paper where there is one
    std::vector<ParamSpec> params;
};

/// The word that stands for a value, as "all" for the lowest one of an integer; empty where there is none.
std::string wordOf(const ParamSpec& spec, const nlohmann::json& value);

/// Completes `given` (a JSON object, or null) with the defaults of `specs` and checks every value against its
/// declaration; throws Error (Usage) naming the owner, the parameter, what was expected and what was found.
nlohmann::json checkedParams(const EntryInfo& owner, const nlohmann::json& given);

/// Reads the text of a command-line `K=V` as a value of the declared type; throws Error (Usage).
nlohmann::json paramFromText(const EntryInfo& owner, const std::string& name, const std::string& text);

/// The declarations as JSON, for `fovea-cli list --json` and the documents.
nlohmann::json toJson(const EntryInfo& info);

}  // namespace fovea
