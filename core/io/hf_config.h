#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/model_reference.h"

namespace fovea {

/// Inclusive bounds a number of a configuration must keep to.
struct IntegerRange {
    std::int64_t min = 0;
    std::int64_t max = 1'000'000;
};
struct NumberRange {
    double min = -1e9;
    double max = 1e9;
};

/// A configuration (config.json or a part of it) read with the reference class's defaults: an absent key and
/// null give the default, a wrong type or a value out of range throws Error (Input) naming file, key,
/// expected and found. Keys may list spellings, "dtype|torch_dtype": the first that is present counts.
class ConfigView {
public:
    /// Reads a whole file; throws Error (Input) where it is no bounded, strict JSON object.
    static ConfigView read(const std::filesystem::path& path);
    /// A view on a value that is already parsed; source names it in messages.
    ConfigView(nlohmann::json value, std::string source);

    bool has(std::string_view keys) const;  ///< present and not null
    std::int64_t integer(std::string_view keys, std::int64_t fallback, IntegerRange range = {}) const;
    double number(std::string_view keys, double fallback, NumberRange range = {}) const;
    bool boolean(std::string_view keys, bool fallback) const;
    std::string text(std::string_view keys, const std::string& fallback) const;
    std::vector<std::int64_t> integers(std::string_view keys, const std::vector<std::int64_t>& fallback,
                                       IntegerRange range = {}) const;
    std::vector<double> numbers(std::string_view keys, const std::vector<double>& fallback,
                                NumberRange range = {}) const;
    std::vector<std::string> texts(std::string_view keys, const std::vector<std::string>& fallback) const;
    /// Height and width: one integer for a square, or two in a list, or {"height","width"}.
    std::pair<std::int64_t, std::int64_t> size(std::string_view keys, std::int64_t fallback,
                                               IntegerRange range) const;
    /// A nested configuration ("vision_config"), empty where absent: then everything takes its default.
    ConfigView section(std::string_view keys) const;

    /// Labels by class index from id2label, "LABEL_<i>" for gaps; empty where there is none. Throws where a
    /// key is no index.
    std::vector<std::string> labels() const;
    /// num_labels: the number of id2label entries, else num_labels, else fallback.
    std::int64_t labelCount(std::int64_t fallback) const;

    const std::string& modelType() const { return m_modelType; }                       ///< "" where absent
    const std::vector<std::string>& architectures() const { return m_architectures; }  ///< may be empty
    const std::string& source() const { return m_source; }
    const nlohmann::json& json() const { return *m_value; }

    /// Throws Error (Input) with a message "SOURCE: KEY: expected EXPECTED, found FOUND".
    [[noreturn]] void fail(std::string_view key, const std::string& expected, const std::string& found) const;

private:
    /// The first present, non-null value of the spellings and the spelling that matched; null pointer where
    /// none is.
    const nlohmann::json* find(std::string_view keys, std::string* key) const;

    std::shared_ptr<const nlohmann::json> m_value;
    std::string m_source;
    std::string m_modelType;
    std::vector<std::string> m_architectures;
};

/// What a family needs to know to accept a model: its configuration and how it was recognised.
struct ModelIdentity {
    ModelFormat format = ModelFormat::Transformers;
    std::string modelType;  ///< transformers' model_type; "timm" for timm exports; for lone weights what was
                            ///< recognised
    std::string architecture;  ///< first of architectures, timm's architecture, or diffusers' _class_name
};

/// Reads the identity of a configuration; refuses auto_map (remote code) and quantised checkpoints with Error
/// (Input).
ModelIdentity identifyConfig(const ConfigView& config, ModelFormat format);

/// The configuration, in the spelling of transformers' vit or dinov2 families, that a lone weight file
/// implies: read from names and shapes of its tensors, which must be those of timm's or DINO's vision
/// transformers (their names stay: "blocks.0.attn.qkv.weight"). Throws Error (Input) where nothing is
/// recognised.
ConfigView configFromTensors(const std::map<std::string, std::vector<std::int64_t>>& shapes,
                             const std::string& source);
/// The same for a timm folder: what its config.json says (heads by architecture, classes, labels, sizes, mean
/// and std under pretrained_cfg) completed by names and shapes.
ConfigView configFromTimm(const ConfigView& timm,
                          const std::map<std::string, std::vector<std::int64_t>>& shapes);

}  // namespace fovea
