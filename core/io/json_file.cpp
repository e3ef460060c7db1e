#include "io/json_file.h"

#include <algorithm>
#include <vector>

#include "fovea/error.h"
#include "io/mapped_file.h"

namespace fovea {
namespace {

using nlohmann::json;

/// Builds the document from parser events, so that limits and duplicate keys are seen while reading.
class DocumentBuilder {
public:
    DocumentBuilder(std::string_view text, const std::string& source, const JsonLimits& limits)
        : m_text(text), m_source(source), m_limits(limits) {}

    json take() { return std::move(m_root); }

    bool null() { return put(nullptr) != nullptr; }
    bool boolean(bool value) { return put(value) != nullptr; }
    bool number_integer(json::number_integer_t value) { return put(value) != nullptr; }
    bool number_unsigned(json::number_unsigned_t value) { return put(value) != nullptr; }
    bool number_float(json::number_float_t value, const std::string&) { return put(value) != nullptr; }
    bool string(std::string& value) { return put(std::move(value)) != nullptr; }
    bool binary(json::binary_t&) { return false; }
    bool start_object(std::size_t) { return open(json::object()); }
    bool start_array(std::size_t) { return open(json::array()); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }

    bool key(std::string& name) {
        if (m_open.back()->contains(name))
            throw Error(m_source + ": the key \"" + name.substr(0, 80) + "\" occurs twice in one object",
                        "Remove one of the two from the file.");
        m_key = std::move(name);
        return true;
    }

    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& reason) {
        const std::size_t at = position == 0 ? 0 : position - 1;
        const std::string_view rest = m_text.substr(std::min(at, m_text.size()), 9);
        const bool notFinite = rest.starts_with("N") || rest.starts_with("I") ||
                               (at > 0 && m_text.substr(at - 1).starts_with("-I"));
        if (notFinite)
            throw Error(
                m_source + ": expected a finite number, found NaN or Infinity at byte " + std::to_string(at),
                "JSON has no such values; replace it in the file.");
        std::string detail = reason.what();
        if (detail.starts_with("[json.exception") && detail.find("] ") != std::string::npos)
            detail = detail.substr(detail.find("] ") + 2);
        throw Error(m_source + ": not valid JSON: " + detail.substr(0, 200),
                    "Correct the file at that place, or fetch it again.");
    }

private:
    json* put(json value) {
        if (++m_values > m_limits.maxValues)
            throw Error(m_source + ": expected at most " + std::to_string(m_limits.maxValues) +
                        " JSON values, found more",
                        "Fetch the file again: no model's file looks like this.");
        if (m_open.empty()) {
            m_root = std::move(value);
            return &m_root;
        }
        json& parent = *m_open.back();
        if (parent.is_array()) {
            parent.push_back(std::move(value));
            return &parent.back();
        }
        json& slot = parent[m_key];
        slot = std::move(value);
        return &slot;
    }

    bool open(json container) {
        if (m_open.size() >= m_limits.maxDepth)
            throw Error(m_source + ": expected at most " + std::to_string(m_limits.maxDepth) +
                        " nested JSON levels, found more",
                        "Fetch the file again: no model's file looks like this.");
        m_open.push_back(put(std::move(container)));
        return true;
    }

    bool close() {
        m_open.pop_back();
        return true;
    }

    std::string_view m_text;
    const std::string& m_source;
    const JsonLimits& m_limits;
    json m_root;
    std::vector<json*> m_open;
    std::string m_key;
    std::size_t m_values = 0;
};

}  // namespace

json parseJson(std::string_view text, const std::string& source, const JsonLimits& limits) {
    if (text.size() > limits.maxBytes)
        throw Error(source + ": expected at most " + std::to_string(limits.maxBytes) +
                    " bytes of JSON, found " + std::to_string(text.size()),
                    "Fetch the file again: no model's file looks like this.");
    DocumentBuilder builder(text, source, limits);
    if (!json::sax_parse(text.begin(), text.end(), &builder)) throw Error(source + ": not valid JSON",
                                                                          "Correct the file at that place, or fetch it again.");
    return builder.take();
}

json readJsonFile(const std::filesystem::path& path, const JsonLimits& limits) {
    const auto file = MappedFile::open(path);
    const auto bytes = file->bytes();
    return parseJson({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string(), limits);
}

std::string describeJson(const json& value) {
    if (value.is_object()) return "an object";
    if (value.is_array()) return "a list of " + std::to_string(value.size());
    const std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
    return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

}  // namespace fovea
