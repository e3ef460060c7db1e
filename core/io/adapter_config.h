#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fovea/model_reference.h"
#include "io/adapter_targets.h"

namespace fovea {

/// What adapter_config.json says of a LoRA adapter.
struct AdapterConfig {
    std::string source;  ///< the file, for messages
    double alpha = 8;
    std::int64_t rank = 8;
    bool rankStabilised = false;  ///< rsLoRA: alpha / sqrt(rank) instead of alpha / rank
    bool decomposed = false;      ///< DoRA
    bool upBias = false;          ///< lora_bias: B has a bias
    AdapterTargets targets;
    std::vector<std::string> saved;  ///< modules_to_save
    std::string base;                ///< the model that it was trained on; may be empty
    /// Ids of tokens whose rows were trained, by the name of their table ("": that of the input).
    std::map<std::string, std::vector<std::int64_t>> tokens;
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
    /// The tokens whose rows were trained in a table; throws Error (Input) where it has none.
    const std::vector<std::int64_t>& tokensOf(const std::string& module) const;
    /// Whether the adapter names a base model that none of these names means (the last parts of paths count).
    bool isOfAnother(const std::vector<std::string>& names) const;
};

/// The files of an adapter folder; throws Error (Input) that names what is missing.
struct AdapterFiles {
    std::filesystem::path config;
    ResolvedModel weights;
};
AdapterFiles findAdapter(const std::filesystem::path& folder);

}  // namespace fovea
