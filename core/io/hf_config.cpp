#include "io/hf_config.h"

#include <cmath>

#include "fovea/error.h"
#include "io/json_file.h"

namespace fovea {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMaxLabels = 1'000'000;

std::string rangeText(IntegerRange range) {
    return "an integer from " + std::to_string(range.min) + " to " + std::to_string(range.max);
}

std::string numberText(double value) {
    return Json(value).dump();
}

}  // namespace

ConfigView ConfigView::read(const std::filesystem::path& path) {
    Json value = readJsonFile(path);
    if (!value.is_object())
        throw Error(path.string() + ": expected a JSON object, found " + describeJson(value),
                    "The file is no model configuration, or it is damaged.");
    return {std::move(value), path.string()};
}

ConfigView::ConfigView(Json value, std::string source)
    : m_value(std::make_shared<const Json>(std::move(value))), m_source(std::move(source)) {
    m_modelType = text("model_type", "");
    m_architectures = texts("architectures", {});
}

void ConfigView::fail(std::string_view key, const std::string& expected, const std::string& found) const {
    throw Error(m_source + ": " + std::string(key) + ": expected " + expected + ", found " + found,
                "Correct the configuration, or take it from the model's source again.");
}

const Json* ConfigView::find(std::string_view keys, std::string* key) const {
    while (!keys.empty()) {
        const auto bar = keys.find('|');
        const std::string one(keys.substr(0, bar));
        const auto found = m_value->find(one);
        if (found != m_value->end() && !found->is_null()) {
            if (key != nullptr) *key = one;
            return &*found;
        }
        keys = bar == std::string_view::npos ? std::string_view{} : keys.substr(bar + 1);
    }
    return nullptr;
}

bool ConfigView::has(std::string_view keys) const {
    return find(keys, nullptr) != nullptr;
}

namespace {

bool integerWithin(const Json& value, IntegerRange range, std::int64_t* out) {
    if (!value.is_number_integer()) return false;
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
        return false;
    *out = value.get<std::int64_t>();
    return *out >= range.min && *out <= range.max;
}

bool numberWithin(const Json& value, NumberRange range, double* out) {
    if (!value.is_number()) return false;
    *out = value.get<double>();
    return std::isfinite(*out) && *out >= range.min && *out <= range.max;
}

}  // namespace

std::int64_t ConfigView::integer(std::string_view keys, std::int64_t fallback, IntegerRange range) const {
    std::string key;
    const Json* value = find(keys, &key);
    std::int64_t number = fallback;
    if (value != nullptr && !integerWithin(*value, range, &number))
        fail(key, rangeText(range), describeJson(*value));
    return number;
}

double ConfigView::number(std::string_view keys, double fallback, NumberRange range) const {
    std::string key;
    const Json* value = find(keys, &key);
    double number = fallback;
    if (value != nullptr && !numberWithin(*value, range, &number))
        fail(key, "a number from " + numberText(range.min) + " to " + numberText(range.max),
             describeJson(*value));
    return number;
}

bool ConfigView::boolean(std::string_view keys, bool fallback) const {
    std::string key;
    const Json* value = find(keys, &key);
    if (value == nullptr) return fallback;
    if (!value->is_boolean()) fail(key, "true or false", describeJson(*value));
    return value->get<bool>();
}

std::string ConfigView::text(std::string_view keys, const std::string& fallback) const {
    std::string key;
    const Json* value = find(keys, &key);
    if (value == nullptr) return fallback;
    if (!value->is_string()) fail(key, "a text", describeJson(*value));
    return value->get<std::string>();
}

std::vector<std::int64_t> ConfigView::integers(std::string_view keys,
                                               const std::vector<std::int64_t>& fallback,
                                               IntegerRange range) const {
    std::string key;
    const Json* value = find(keys, &key);
    if (value == nullptr) return fallback;
    if (!value->is_array()) fail(key, "a list of integers", describeJson(*value));
    std::vector<std::int64_t> numbers(value->size());
    for (std::size_t i = 0; i < numbers.size(); ++i)
        if (!integerWithin((*value)[i], range, &numbers[i]))
            fail(key, rangeText(range), describeJson((*value)[i]));
    return numbers;
}

std::vector<double> ConfigView::numbers(std::string_view keys, const std::vector<double>& fallback,
                                        NumberRange range) const {
    std::string key;
    const Json* value = find(keys, &key);
    if (value == nullptr) return fallback;
    if (!value->is_array()) fail(key, "a list of numbers", describeJson(*value));
    std::vector<double> numbers(value->size());
    for (std::size_t i = 0; i < numbers.size(); ++i)
        if (!numberWithin((*value)[i], range, &numbers[i]))
            fail(key, "numbers from " + numberText(range.min) + " to " + numberText(range.max),
                 describeJson((*value)[i]));
    return numbers;
}

std::vector<std::string> ConfigView::texts(std::string_view keys,
                                           const std::vector<std::string>& fallback) const {
    std::string key;
    const Json* value = find(keys, &key);
    if (value == nullptr) return fallback;
    if (!value->is_array()) fail(key, "a list of texts", describeJson(*value));
    std::vector<std::string> out;
    for (const Json& item : *value) {
        if (!item.is_string()) fail(key, "a list of texts", describeJson(item));
        out.push_back(item.get<std::string>());
    }
    return out;
}

std::pair<std::int64_t, std::int64_t> ConfigView::size(std::string_view keys, std::int64_t fallback,
                                                       IntegerRange range) const {
    std::string key;
    const Json* value = find(keys, &key);
    if (value == nullptr) return {fallback, fallback};
    std::int64_t height = 0;
    std::int64_t width = 0;
    if (integerWithin(*value, range, &height)) return {height, height};
    if (value->is_array() && value->size() == 2 && integerWithin((*value)[0], range, &height) &&
        integerWithin((*value)[1], range, &width))
        return {height, width};
    if (value->is_object() && value->contains("height") && value->contains("width") &&
        integerWithin((*value)["height"], range, &height) && integerWithin((*value)["width"], range, &width))
        return {height, width};
    fail(key, rangeText(range) + ", or two of them for height and width",
         value->is_primitive() ? describeJson(*value) : value->dump().substr(0, 60));
}

ConfigView ConfigView::section(std::string_view keys) const {
    std::string key;
    const Json* value = find(keys, &key);
    if (value == nullptr)
        return {Json::object(), m_source + ": " + std::string(keys.substr(0, keys.find('|')))};
    if (!value->is_object()) fail(key, "an object", describeJson(*value));
    return {*value, m_source + ": " + key};
}

std::vector<std::string> ConfigView::labels() const {
    const Json* value = find("id2label", nullptr);
    if (value == nullptr) return {};
    if (!value->is_object()) fail("id2label", "an object", describeJson(*value));
    std::vector<std::string> labels;
    for (const auto& [key, label] : value->items()) {
        const bool digits =
            !key.empty() && key.size() <= 7 && key.find_first_not_of("0123456789") == std::string::npos;
        const std::int64_t index = digits ? std::stoll(key) : kMaxLabels;
        if (index >= kMaxLabels)
            fail("id2label", "class indices from 0 to " + std::to_string(kMaxLabels - 1),
                 "\"" + key.substr(0, 40) + "\"");
        if (!label.is_string() && !label.is_number())
            fail("id2label", "a text for class " + key, describeJson(label));
        const auto at = static_cast<std::size_t>(index);
        while (labels.size() <= at) labels.push_back("LABEL_" + std::to_string(labels.size()));
        labels[at] = label.is_string() ? label.get<std::string>() : label.dump();
    }
    return labels;
}

std::int64_t ConfigView::labelCount(std::int64_t fallback) const {
    const Json* value = find("id2label", nullptr);
    if (value != nullptr && value->is_object()) return static_cast<std::int64_t>(value->size());
    return integer("num_labels", fallback, {0, kMaxLabels});
}

ModelIdentity identifyConfig(const ConfigView& config, ModelFormat format) {
    if (config.has("auto_map"))
        throw Error(
            config.source() + ": auto_map: the model needs Python code of its own, which Fovea does not run",
            "Use a checkpoint that transformers loads without trust_remote_code.");
    if (config.has("quantization_config")) {
        const Json& value = config.json().at("quantization_config");
        const bool named =
            value.is_object() && value.contains("quant_method") && value["quant_method"].is_string();
        throw Error(config.source() +
                        ": quantization_config: expected weights in fp32, fp16 or bf16, found " +
                        (named ? value["quant_method"].get<std::string>().substr(0, 40) + " quantisation"
                               : std::string("a quantised checkpoint")),
                    "Use the unquantised checkpoint of the model.");
    }
    ModelIdentity identity;
    identity.format = format;
    identity.modelType = config.modelType();
    if (format == ModelFormat::DiffusersComponent) {
        identity.architecture = config.text("_class_name", "");
    } else if (!config.architectures().empty()) {
        identity.architecture = config.architectures().front();
    } else {
        identity.architecture = config.text("architecture", "");
    }
    return identity;
}

}  // namespace fovea
