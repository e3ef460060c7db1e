#include "text/json_node.h"

#include "fovea/error.h"
#include "io/json_file.h"
#include "text/utf8.h"

namespace fovea::text {

bool JsonNode::has(std::string_view key) const {
    if (!m_value->is_object()) return false;
    const auto found = m_value->find(key);
    return found != m_value->end() && !found->is_null();
}

JsonNode JsonNode::at(std::string_view key) const {
    expectObject();
    const auto found = m_value->find(key);
    const std::string path = m_path + "." + std::string(key);
    if (found == m_value->end()) throw Error(path + ": expected a value, found none");
    return {*found, path};
}

JsonNode JsonNode::item(std::size_t index) const {
    return {(*m_value)[index], m_path + "[" + std::to_string(index) + "]"};
}

std::vector<JsonNode> JsonNode::items(std::size_t maxItems) const {
    if (!m_value->is_array()) fail("a list");
    if (m_value->size() > maxItems) fail("a list of at most " + std::to_string(maxItems));
    std::vector<JsonNode> nodes;
    nodes.reserve(m_value->size());
    for (std::size_t i = 0; i < m_value->size(); ++i) nodes.push_back(item(i));
    return nodes;
}

const std::string& JsonNode::text() const {
    if (!m_value->is_string()) fail("a text");
    return m_value->get_ref<const std::string&>();
}

bool JsonNode::boolean() const {
    if (!m_value->is_boolean()) fail("true or false");
    return m_value->get<bool>();
}

double JsonNode::number() const {
    if (!m_value->is_number()) fail("a number");
    return m_value->get<double>();
}

std::int64_t JsonNode::integer(std::int64_t low, std::int64_t high) const {
    const bool whole = m_value->is_number_integer() &&
                       !(m_value->is_number_unsigned() && m_value->get<std::uint64_t>() > INT64_MAX);
    if (!whole || m_value->get<std::int64_t>() < low || m_value->get<std::int64_t>() > high)
        fail("a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    return m_value->get<std::int64_t>();
}

char32_t JsonNode::character() const {
    const std::string& whole = text();
    if (whole.empty() || charAt(whole, 0).length != whole.size()) fail("a single character");
    return charAt(whole, 0).code;
}

std::string JsonNode::text(std::string_view key, const std::string& fallback) const {
    return has(key) ? at(key).text() : fallback;
}

bool JsonNode::boolean(std::string_view key, bool fallback) const {
    return has(key) ? at(key).boolean() : fallback;
}

const JsonNode& JsonNode::expectObject() const {
    if (!m_value->is_object()) fail("an object");
    return *this;
}

void JsonNode::fail(const std::string& expected) const {
    throw Error(m_path + ": expected " + expected + ", found " + describeJson(*m_value));
}

}  // namespace fovea::text
