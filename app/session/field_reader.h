#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace fovea {

/// Reads the fields of one JSON object with checks; every message names the field by its path. Fields that
/// nobody asked for are collected by finish().
class FieldReader {
public:
    /// `path` is the JSON pointer of `object`, `source` begins messages. Throws Error (Input) unless it is an
    /// object.
    FieldReader(const nlohmann::json& object, std::string path, std::string source);

    bool has(const std::string& name);
    const nlohmann::json& at(const std::string& name) const { return m_object.at(name); }
    /// The child's reader; the field must be there.
    FieldReader child(const std::string& name);
    /// Elements of a list field as readers; an absent field has none.
    std::vector<FieldReader> list(const std::string& name, std::size_t maxCount);

    void read(const std::string& name, std::string& value, std::size_t maxLength = 65536);
    void read(const std::string& name, std::vector<std::string>& value, std::size_t maxCount);
    void read(const std::string& name, bool& value);
    void read(const std::string& name, double& value, double minimum, double maximum);
    void read(const std::string& name, std::uint64_t& value);
    void read(const std::string& name, int& value, int minimum, int maximum);
    void readObject(const std::string& name, nlohmann::json& value);
    void readChoice(const std::string& name, std::string& value, const std::vector<std::string>& choices);

    /// Puts every field that was not read into `unknown`, by its JSON pointer.
    void finish(nlohmann::json& unknown) const;

    [[noreturn]] void fail(const std::string& name, const std::string& expected) const;
    const std::string& path() const { return m_path; }

private:
    std::string pointer(const std::string& name) const;

    const nlohmann::json& m_object;
    std::string m_path, m_source;
    std::set<std::string> m_known;
};

}  // namespace fovea
