#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fovea {

/// What kind of thing a MODEL argument turned out to be.
enum class ModelFormat {
    Transformers,        ///< config.json with model_type or architectures
    Timm,                ///< config.json with architecture and pretrained_cfg
    DiffusersPipeline,   ///< model_index.json
    DiffusersComponent,  ///< config.json with _class_name
    LoneWeights,         ///< one weight file without a configuration: recognised by its tensor names
    Trace,               ///< a trace file written by Fovea
};

/// How the weight files are stored.
enum class WeightFormat { None, Safetensors, Pickle };

/// The files a model consists of; nothing but names was read, except the index of a sharded checkpoint.
struct ResolvedModel {
    ModelFormat format = ModelFormat::Transformers;
    WeightFormat weightFormat = WeightFormat::None;
    std::string reference;             ///< as it was given
    std::string displayName;           ///< short name for titles: org/name, folder or file name, demo:NAME
    std::filesystem::path folder;      ///< that holds the files
    std::filesystem::path configFile;  ///< empty where there is none
    std::filesystem::path indexFile;   ///< of a sharded checkpoint, else empty
    std::vector<std::filesystem::path> weightFiles;
    std::vector<std::string> missingFiles;  ///< named by the index but not there: an incomplete download
    std::string revision;                   ///< commit, for models of the Hugging Face cache
};

/// Where models are looked for besides plain paths.
struct ModelSearch {
    std::filesystem::path hubCache;   ///< folder with models--org--name entries; may not exist
    std::filesystem::path resources;  ///< folder with demo_models/; may be empty

    /// The cache that HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME or XDG_CACHE_HOME name, or the default
    /// place, and the program's own resources.
    static ModelSearch fromEnvironment();
};

/// Finds what MODEL means: an existing folder or file, demo:NAME, or org/name in the local Hugging Face
/// cache. Never uses the network. Throws Error (Input) that says where it looked, with a hint.
ResolvedModel resolveModel(const std::string& reference, const ModelSearch& search);
ResolvedModel resolveModel(const std::string& reference);

/// A model of the local Hugging Face cache, as the open dialog lists it.
struct CachedModel {
    std::string name;  ///< org/name
    std::string revision;
    std::filesystem::path folder;
    std::string modelType;    ///< model_type, architecture or _class_name of its configuration; may be empty
    std::uint64_t bytes = 0;  ///< of all its files
    bool complete = false;
    std::string problem;  ///< why it cannot be opened, empty when complete
};

/// Every model of a cache folder, sorted by name; an unreadable entry is listed with its problem, never
/// thrown.
std::vector<CachedModel> listCachedModels(const std::filesystem::path& hubCache);

/// The folder with demo_models/, sessions/, ...: FOVEA_RESOURCES, or found beside the executable, or in the
/// source tree the program was built from. Throws Error (Input) where none exists.
std::filesystem::path resourcesFolder();

}  // namespace fovea
