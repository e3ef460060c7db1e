#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::text {

/// A value of a JSON file together with its place, so that every complaint names file, key, expected and found.
class JsonNode {
public:
    /// The node does not own the value, which must outlive it.
    JsonNode(const nlohmann::json& value, std::string path) : m_value(&value), m_path(std::move(path)) {}

    const nlohmann::json& value() const { return *m_value; }
    const std::string& path() const { return m_path; }

    /// Whether an object has a key whose value is not null.
    bool has(std::string_view key) const;
    /// A member of an object; throws Error (Input) when it is missing or null.
    JsonNode at(std::string_view key) const;
    JsonNode item(std::size_t index) const;
    /// The nodes of a list with at most maxItems items.
    std::vector<JsonNode> items(std::size_t maxItems) const;

    const std::string& text() const;
    bool boolean() const;
    double number() const;
    std::int64_t integer(std::int64_t low, std::int64_t high) const;
    /// A text of exactly one character.
    char32_t character() const;

    std::string text(std::string_view key, const std::string& fallback) const;
    bool boolean(std::string_view key, bool fallback) const;

    const JsonNode& expectObject() const;
    [[noreturn]] void fail(const std::string& expected) const;

private:
    const nlohmann::json* m_value;
    std::string m_path;
};

}  // namespace fovea::text
