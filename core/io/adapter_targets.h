#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/hf_config.h"

namespace fovea {

/// Which modules adapter_config.json says the adapter changes. PEFT leaves the tensors of others out.
class AdapterTargets {
public:
    AdapterTargets() = default;
    /// target_modules, target_parameters, exclude_modules, layers_to_transform and layers_pattern; throws Error (Input)
    /// naming key, expected and found.
    explicit AdapterTargets(const ConfigView& config);

    /// The key that leaves a module out, or nothing; throws Error (Input) for patterns that cannot be matched.
    std::string leftOutBy(const std::string& module) const;

private:
    /// A list of ends of names, or one regular expression.
    struct Names {
        std::vector<std::string> ends;
        std::string pattern;
        bool empty() const { return ends.empty() && pattern.empty(); }
        bool match(const std::string& module, const std::string& source) const;
    };
    static Names read(const ConfigView& config, const char* key);
    bool hasLayer(const std::string& module) const;

    std::string m_source;
    Names m_targets, m_parameters, m_excluded;
    std::vector<std::int64_t> m_layers;
    std::vector<std::string> m_layerNames;
};

/// Whether a module name matches a pattern of ranks as PEFT matches it: to the name's end, from its start or a dot;
/// throws Error (Input) for a broken or runaway pattern.
bool matchesModule(const std::string& pattern, const std::string& module, const std::string& source);

/// Whether all of a module name matches a regular expression; throws likewise.
bool matchesWhole(const std::string& pattern, const std::string& module, const std::string& source);

}  // namespace fovea
