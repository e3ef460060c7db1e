#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "fovea/model_reference.h"

namespace fovea {

/// What adapter_config.json says of a LoRA adapter.
struct AdapterConfig {
    std::string source;  ///< the file, for messages
    double alpha = 8;
    std::int64_t rank = 8;
    bool rankStabilised = false;  ///< rsLoRA: alpha / sqrt(rank) instead of alpha / rank
    bool decomposed = false;      ///< DoRA
    /// Patterns of module names (regular expressions that match to the name's end, from its start or a dot).
    std::vector<std::pair<std::string, double>> alphas;
    std::vector<std::pair<std::string, std::int64_t>> ranks;

    /// Throws Error (Input) naming file, key, expected and found; refuses other kinds of adapters and those
    /// that a forward pass cannot add (initialised from the base weights, switched on by tokens).
    static AdapterConfig read(const std::filesystem::path& file);
    /// The rank that a module should have.
    std::int64_t rankOf(const std::string& module) const;
    /// What B A is multiplied by.
    double scaling(const std::string& module, std::int64_t rank) const;
};

/// The files of an adapter folder; throws Error (Input) that names what is missing.
struct AdapterFiles {
    std::filesystem::path config;
    ResolvedModel weights;
};
AdapterFiles findAdapter(const std::filesystem::path& folder);

/// Whether a module name matches a pattern as PEFT matches it; throws Error (Input) for a broken or runaway
/// pattern.
bool matchesModule(const std::string& pattern, const std::string& module, const std::string& source);

}  // namespace fovea
