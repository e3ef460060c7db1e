#include "field_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/error.h"
#include "io/json_file.h"

namespace fovea {

using nlohmann::json;

FieldReader::FieldReader(const json& object, std::string path, std::string source)
    : m_object(object), m_path(std::move(path)), m_source(std::move(source)) {
    if (object.is_object()) return;
    throw Error(fmt::format("{}: {}: expected an object, found {}", m_source, m_path.empty() ? "/" : m_path,
                            describeJson(object)),
                "resources/schema/session.schema.json describes the file");
}

std::string FieldReader::pointer(const std::string& name) const {
    json::json_pointer child;
    child /= name;
    return m_path + child.to_string();
}

void FieldReader::fail(const std::string& name, const std::string& expected) const {
    throw Error(fmt::format("{}: {}: expected {}, found {}", m_source, pointer(name), expected,
                            m_object.contains(name) ? describeJson(m_object.at(name)) : "nothing"),
                "resources/schema/session.schema.json describes the file");
}

bool FieldReader::has(const std::string& name) {
    m_known.insert(name);
    return m_object.contains(name);
}

FieldReader FieldReader::child(const std::string& name) {
    m_known.insert(name);
    return {m_object.at(name), pointer(name), m_source};
}

std::vector<FieldReader> FieldReader::list(const std::string& name, std::size_t maxCount) {
    std::vector<FieldReader> readers;
    if (!has(name)) return readers;
    const json& value = m_object.at(name);
    if (!value.is_array() || value.size() > maxCount)
        fail(name, fmt::format("a list of at most {} objects", maxCount));
    for (std::size_t i = 0; i < value.size(); ++i)
        readers.emplace_back(value[i], fmt::format("{}/{}", pointer(name), i), m_source);
    return readers;
}

void FieldReader::read(const std::string& name, std::string& value, std::size_t maxLength) {
    if (!has(name)) return;
    const json& found = m_object.at(name);
    if (!found.is_string() || found.get_ref<const std::string&>().size() > maxLength ||
        found.get_ref<const std::string&>().find('\0') != std::string::npos)
        fail(name, fmt::format("a text of at most {} bytes", maxLength));
    value = found.get<std::string>();
}

void FieldReader::read(const std::string& name, std::vector<std::string>& value, std::size_t maxCount) {
    if (!has(name)) return;
    const json& found = m_object.at(name);
    const auto isText = [](const json& entry) {
        return entry.is_string() && entry.get_ref<const std::string&>().size() <= 4096 &&
               entry.get_ref<const std::string&>().find('\0') == std::string::npos;
    };
    if (!found.is_array() || found.size() > maxCount || !std::all_of(found.begin(), found.end(), isText))
        fail(name, fmt::format("a list of at most {} texts", maxCount));
    value = found.get<std::vector<std::string>>();
}

void FieldReader::read(const std::string& name, bool& value) {
    if (!has(name)) return;
    if (!m_object.at(name).is_boolean()) fail(name, "true or false");
    value = m_object.at(name).get<bool>();
}

void FieldReader::read(const std::string& name, double& value, double minimum, double maximum) {
    if (!has(name)) return;
    const json& found = m_object.at(name);
    const double number = found.is_number() ? found.get<double>() : NAN;
    if (!(number >= minimum && number <= maximum))
        fail(name, std::isinf(minimum) || maximum >= 1e300
                       ? "a finite number"
                       : fmt::format("a number from {} to {}", minimum, maximum));
    value = number;
}

void FieldReader::read(const std::string& name, std::uint64_t& value) {
    if (!has(name)) return;
    if (!m_object.at(name).is_number_unsigned()) fail(name, "a whole number from 0 to 2^64 - 1");
    value = m_object.at(name).get<std::uint64_t>();
}

void FieldReader::read(const std::string& name, int& value, int minimum, int maximum) {
    if (!has(name)) return;
    const json& found = m_object.at(name);
    const bool whole = found.is_number_integer();
    const double number = whole ? found.get<double>() : NAN;
    if (!(number >= minimum && number <= maximum))
        fail(name, fmt::format("a whole number from {} to {}", minimum, maximum));
    value = static_cast<int>(number);
}

void FieldReader::readObject(const std::string& name, json& value) {
    if (!has(name)) return;
    if (!m_object.at(name).is_object()) fail(name, "an object");
    value = m_object.at(name);
}

void FieldReader::readChoice(const std::string& name, std::string& value,
                             const std::vector<std::string>& choices) {
    if (!has(name)) return;
    const json& found = m_object.at(name);
    if (!found.is_string() ||
        std::find(choices.begin(), choices.end(), found.get<std::string>()) == choices.end())
        fail(name, fmt::format("one of {}", fmt::join(choices, ", ")));
    value = found.get<std::string>();
}

void FieldReader::finish(json& unknown) const {
    for (const auto& [name, value] : m_object.items())
        if (!m_known.count(name)) unknown[pointer(name)] = value;
}

}  // namespace fovea
