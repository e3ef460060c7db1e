#include "fovea/model_reference.h"

#include <algorithm>
#include <set>

#include "fovea/error.h"
#include "io/checkpoint_file.h"
#include "io/hf_cache.h"
#include "io/json_file.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTraceKey = "fovea.version";

fs::file_type typeOf(const fs::path& path, const std::string& reference) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (error == std::errc::too_many_symbolic_link_levels)
        throw Error(reference + ": the symbolic link " + path.string() + " leads back to itself",
                    "Remove the link.");
    if (error == std::errc::filename_too_long) return fs::file_type::not_found;
    if (error && status.type() != fs::file_type::not_found)
        throw Error(path.string() + ": cannot be read: " + error.message(), "Check that you may read it.");
    return status.type();
}

bool isRegular(const fs::path& path) {
    return typeOf(path, path.string()) == fs::file_type::regular;
}

/// The names a folder's weights may have, in the order in which they are looked for.
struct WeightNames {
    std::vector<std::string> safetensors;
    std::vector<std::string> pickled;
};

const WeightNames& weightNames(ModelFormat format) {
    static const WeightNames transformers{{"model.safetensors", "model.safetensors.index.json",
                                           "model.fp16.safetensors", "model.safetensors.index.fp16.json"},
                                          {"pytorch_model.bin", "pytorch_model.bin.index.json"}};
    static const WeightNames diffusers{
        {"diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.safetensors.index.json",
         "diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.safetensors.index.fp16.json"},
        {"diffusion_pytorch_model.bin", "diffusion_pytorch_model.bin.index.json"}};
    return format == ModelFormat::DiffusersComponent ? diffusers : transformers;
}

ModelFormat formatOf(const fs::path& configFile) {
    const nlohmann::json config = readJsonFile(configFile);
    if (!config.is_object())
        throw Error(configFile.string() + ": expected a JSON object, found " + describeJson(config),
                    "The file is no model configuration, or it is damaged.");
    if (config.contains("_class_name")) return ModelFormat::DiffusersComponent;
    if (config.contains("model_type") || config.contains("architectures")) return ModelFormat::Transformers;
    if (config.contains("architecture") && config.contains("pretrained_cfg")) return ModelFormat::Timm;
    throw Error(configFile.string() +
                    ": expected model_type, architectures, architecture or _class_name, found none of them",
                "The file is no model configuration of transformers, timm or diffusers.");
}

/// Reads the index of a sharded checkpoint into the model's weight files; names must be bare and stay in the
/// folder.
void addShards(ResolvedModel& model, const fs::path& index) {
    const nlohmann::json json = readJsonFile(index, {std::size_t{64} << 20, 8, 1'000'000});
    const auto fail = [&](const std::string& expected, const std::string& found) {
        throw Error(index.string() + ": weight_map: expected " + expected + ", found " + found,
                    "The index is damaged; download it again.");
    };
    if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object())
        fail("an object from tensor to file names",
             json.is_object() && json.contains("weight_map") ? describeJson(json["weight_map"]) : "none");
    if (json["weight_map"].empty()) fail("at least one tensor", "none");
    std::set<std::string> names;
    for (const auto& [tensor, file] : json["weight_map"].items()) {
        if (!file.is_string()) fail("a file name for " + tensor.substr(0, 80), describeJson(file));
        const auto& name = file.get_ref<const std::string&>();
        const bool bare = !name.empty() && name.size() <= 255 &&
                          name.find_first_of(std::string_view("/\\:\0", 4)) == std::string::npos &&
                          name != "." && name.find("..") == std::string::npos;
        if (!bare)
            fail("the bare name of a file in the same folder for " + tensor.substr(0, 80),
                 describeJson(file));
        names.insert(name);
    }
    model.indexFile = index;
    for (const std::string& name : names) {
        const fs::path file = model.folder / name;
        if (typeOf(file, model.reference) == fs::file_type::not_found) {
            model.missingFiles.push_back(name);
            continue;
        }
        if (!isRegular(file)) throw Error(file.string() + ": expected a regular file, found something else",
                                          "Fetch the model again: every weight file must be a file.");
        requireTrustedFile(file, model.folder, LinkPolicy::SameFolderOrCache);
        model.weightFiles.push_back(file);
    }
}

/// Finds the weights of a folder whose configuration is known.
void addWeights(ResolvedModel& model) {
    const WeightNames& names = weightNames(model.format);
    const LinkPolicy policy = isCacheSnapshot(model.folder) ? LinkPolicy::SameFolderOrCache : LinkPolicy::Any;
    for (const auto* list : {&names.safetensors, &names.pickled}) {
        for (const std::string& name : *list) {
            const fs::path file = model.folder / name;
            std::error_code unreadable;
            const bool dangling = fs::is_symlink(fs::symlink_status(file, unreadable)) &&
                                  typeOf(file, model.reference) == fs::file_type::not_found;
            if (dangling) {
                model.missingFiles.push_back(name);
                return;
            }
            if (!isRegular(file)) continue;
            requireTrustedFile(file, model.folder, policy);
            model.weightFormat =
                list == &names.safetensors ? WeightFormat::Safetensors : WeightFormat::Pickle;
            if (name.find(".index.") != std::string::npos) {
                addShards(model, file);
            } else {
                model.weightFiles = {file};
            }
            return;
        }
    }
    throw Error(model.folder.string() + ": expected weights (" + names.safetensors[0] + ", " +
                    names.safetensors[1] + ", " + names.pickled[0] + "), found none",
                "The download is incomplete, or this folder holds only the configuration.");
}

bool looksLikeWeights(const fs::path& path) {
    static const std::set<std::string> endings{".safetensors", ".bin", ".pth", ".pt", ".ckpt"};
    return endings.count(path.extension().string()) != 0;
}

/// What to do with a weight file that has no configuration beside it: few are recognised by their tensors alone.
std::string hintForWeights(const fs::path& file) {
    ResolvedModel lone;
    lone.reference = file.string();
    lone.weightFiles = {file};
    lone.format = ModelFormat::LoneWeights;
    try {
        readModelConfig(lone);
        return "To open the weight file alone: " + file.string();
    } catch (const Error&) {
        return "Put the model's config.json beside " + file.filename().string() +
               ": weight files alone are recognised for vision transformers of timm, DINO and DINOv2.";
    }
}

[[noreturn]] void failNoConfig(const fs::path& folder) {
    std::string hint =
        "Open a folder that save_pretrained wrote, a weight file, or an image model by its name.";
    std::error_code error;
    std::size_t seen = 0;
    for (fs::directory_iterator it(folder, error), end; !error && it != end && ++seen < 1000;
         it.increment(error))
        if (looksLikeWeights(it->path())) hint = hintForWeights(it->path());
    throw Error(folder.string() + ": expected config.json or model_index.json, found neither", hint);
}

ResolvedModel resolveFolder(const std::string& reference, const fs::path& folder) {
    ResolvedModel model;
    model.reference = reference;
    model.folder = folder;
    const fs::path name = folder.filename().empty() || folder.filename() == "."
                              ? folder.parent_path().filename()
                              : folder.filename();
    model.displayName = name.empty() ? folder.string() : name.string();
    const LinkPolicy policy = isCacheSnapshot(folder) ? LinkPolicy::SameFolderOrCache : LinkPolicy::Any;
    if (isRegular(folder / "model_index.json")) {
        model.format = ModelFormat::DiffusersPipeline;
        model.configFile = folder / "model_index.json";
        requireTrustedFile(model.configFile, folder, policy);
        return model;
    }
    if (!isRegular(folder / "config.json")) {
        if (const auto snapshot = snapshotOfCacheEntry(folder)) return resolveFolder(reference, *snapshot);
        failNoConfig(folder);
    }
    model.configFile = folder / "config.json";
    requireTrustedFile(model.configFile, folder, policy);
    model.format = formatOf(model.configFile);
    addWeights(model);
    return model;
}

/// One file: a trace, a weight file with its configuration beside it, or weights alone.
ResolvedModel resolveFile(const std::string& reference, const fs::path& file) {
    const std::string name = file.filename().string();
    const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
    if (name == "config.json" || name == "model_index.json" || name.ends_with(".index.json"))
        return resolveFolder(reference, folder);

    ResolvedModel model;
    model.reference = reference;
    model.folder = folder;
    model.displayName = name;
    const CheckpointFile checkpoint = openCheckpointFile(file);
    model.weightFiles = {file};
    model.weightFormat = checkpoint.format;
    if (checkpoint.metadata.count(std::string(kTraceKey)) != 0) {
        model.format = ModelFormat::Trace;
        return model;
    }
    model.format = ModelFormat::LoneWeights;
    if (!isRegular(folder / "config.json")) return model;
    if (name.find("-of-") != std::string::npos) return resolveFolder(reference, folder);
    model.configFile = folder / "config.json";
    model.format = formatOf(model.configFile);
    return model;
}

ResolvedModel resolveDemo(const std::string& reference, const fs::path& resources) {
    const std::string name = reference.substr(5);
    const bool plain = !name.empty() &&
                       name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == std::string::npos;
    const fs::path demos = resources / "demo_models";
    std::string known;
    std::error_code error;
    for (fs::directory_iterator it(demos, error), end; !error && it != end; it.increment(error)) {
        const std::string folder = it->path().filename().string();
        const bool matches = plain && (folder == name || folder.starts_with(name + "-"));
        if (matches && isRegular(it->path() / "config.json")) {
            ResolvedModel model = resolveFolder(reference, it->path());
            model.displayName = reference;
            return model;
        }
        if (isRegular(it->path() / "config.json"))
            known += (known.empty() ? "" : ", ") + folder.substr(0, folder.find('-'));
    }
    throw Error(reference + ": no such demo model in " + demos.string(),
                known.empty() ? "" : "There are: " + known);
}

}  // namespace

ResolvedModel resolveModel(const std::string& reference, const ModelSearch& search) {
    if (reference.empty() || reference.find('\0') != std::string::npos)
        throw Error("expected a model folder, file or name, found an empty text",
                    "Give a path, org/name or demo:NAME.");
    if (reference.starts_with("demo:"))
        return resolveDemo(reference, search.resources.empty() ? resourcesFolder() : search.resources);
    const fs::path path(reference);
    switch (typeOf(path, reference)) {
        case fs::file_type::directory:
            return resolveFolder(reference, path);
        case fs::file_type::regular:
            return resolveFile(reference, path);
        case fs::file_type::not_found:
            break;
        default:
            throw Error(reference + ": expected a folder or a regular file, found something else",
                        "Give a model folder, a weight file, a trace file, or org/name of a downloaded model.");
    }
    if (const auto found = findInCache(reference, search.hubCache)) {
        ResolvedModel model = resolveFolder(reference, found->folder);
        model.displayName = reference;
        model.revision = found->revision;
        return model;
    }
    throw Error(reference + ": no such folder or file, and no such model in the Hugging Face cache " +
                    search.hubCache.string(),
                isRepositoryName(reference)
                    ? "Fovea never downloads. Fetch the model first: hf download " + reference
                    : "Check the path.");
}

ResolvedModel resolveModel(const std::string& reference) {
    return resolveModel(reference, ModelSearch::fromEnvironment());
}

}  // namespace fovea
