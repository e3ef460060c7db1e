#include "io/hf_cache.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "fovea/error.h"
#include "fovea/model_reference.h"
#include "io/json_file.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEntryPrefix = "models--";
constexpr std::size_t kMaxEntries = 100'000;

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

bool isCacheEntry(const fs::path& folder) {
    return folder.filename().string().starts_with(kEntryPrefix);
}

bool isFolder(const fs::path& path) {
    std::error_code error;
    return fs::is_directory(path, error);
}

/// Letters, digits, dot, dash and underscore, and no "..": safe as one component of a path.
bool isSafeComponent(std::string_view text) {
    constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return !text.empty() && text.size() <= 96 && text.find_first_not_of(allowed) == std::string_view::npos &&
           text.find("..") == std::string_view::npos && text != ".";
}

/// The commit that a refs file names, or nothing where it is absent or holds something else.
std::optional<std::string> readRef(const fs::path& file) {
    std::error_code error;
    if (!fs::is_regular_file(file, error) || fs::file_size(file, error) > 256 || error) return std::nullopt;
    std::ifstream stream(file);
    std::string commit;
    stream >> commit;
    if (!isSafeComponent(commit)) return std::nullopt;
    return commit;
}

std::optional<fs::path> newestSnapshot(const fs::path& snapshots) {
    std::optional<fs::path> newest;
    fs::file_time_type time;
    std::error_code error;
    std::size_t seen = 0;
    for (fs::directory_iterator it(snapshots, error), end; !error && it != end && ++seen <= kMaxEntries;
         it.increment(error)) {
        std::error_code ignored;
        if (!it->is_directory(ignored)) continue;
        const fs::file_time_type written = it->last_write_time(ignored);
        if (!newest || written > time || (written == time && it->path() > *newest)) {
            newest = it->path();
            time = written;
        }
    }
    return newest;
}

std::optional<fs::path> snapshotOf(const fs::path& entry, const std::string& revision) {
    const fs::path snapshots = entry / "snapshots";
    if (const auto commit = readRef(entry / "refs" / revision); commit && isFolder(snapshots / *commit))
        return snapshots / *commit;
    if (isFolder(snapshots / revision)) return snapshots / revision;
    return std::nullopt;
}

std::uint64_t bytesIn(const fs::path& folder) {
    std::uint64_t bytes = 0;
    std::error_code error;
    std::size_t seen = 0;
    for (fs::recursive_directory_iterator it(folder, error), end;
         !error && it != end && ++seen <= kMaxEntries; it.increment(error)) {
        std::error_code ignored;
        if (it->is_regular_file(ignored)) {
            const auto size = it->file_size(ignored);
            if (!ignored) bytes += size;
        }
    }
    return bytes;
}

std::size_t incompleteBlobs(const fs::path& blobs) {
    std::size_t count = 0;
    std::error_code error;
    std::size_t seen = 0;
    for (fs::directory_iterator it(blobs, error), end; !error && it != end && ++seen <= kMaxEntries;
         it.increment(error))
        if (it->path().extension() == ".incomplete") ++count;
    return count;
}

/// Compares the files a model consists of with the listing that newer downloads leave in trees/COMMIT.json.
void requireListedSizes(const ResolvedModel& model, const fs::path& entry, const std::string& revision) {
    const fs::path listing = entry / "trees" / (revision + ".json");
    std::error_code error;
    if (!fs::is_regular_file(listing, error)) return;
    const nlohmann::json tree = readJsonFile(listing);
    if (!tree.is_object() || !tree.contains("files") || !tree["files"].is_object()) return;
    std::vector<fs::path> files = model.weightFiles;
    files.push_back(model.configFile);
    for (const fs::path& file : files) {
        const auto listed = tree["files"].find(file.filename().string());
        if (listed == tree["files"].end() || !listed->is_object() || !listed->contains("size")) continue;
        const nlohmann::json& size = (*listed)["size"];
        const std::uint64_t found = fs::file_size(file, error);
        if (!error && size.is_number_unsigned() && size.get<std::uint64_t>() != found)
            throw Error("the download is incomplete: " + file.filename().string() + " has " +
                        std::to_string(found) + " of " + size.dump() + " bytes",
                        "Fetch the model again: hf download continues where it stopped.");
    }
}

CachedModel describeEntry(const fs::path& entry) {
    CachedModel model;
    model.name = entry.filename().string().substr(kEntryPrefix.size());
    if (const auto dash = model.name.find("--"); dash != std::string::npos) model.name.replace(dash, 2, "/");
    try {
        const auto snapshot = snapshotOfCacheEntry(entry);
        if (!snapshot) throw Error("no snapshot: nothing was downloaded yet",
                                   "Fetch the model again: hf download.");
        model.folder = *snapshot;
        model.revision = snapshot->filename().string();
        model.bytes = bytesIn(*snapshot);
        const ResolvedModel resolved = resolveModel(snapshot->string(), {entry.parent_path(), {}});
        const auto config = readJsonFile(resolved.configFile);
        for (const char* key : {"model_type", "architecture", "_class_name"})
            if (model.modelType.empty() && config.is_object() && config.contains(key) &&
                config[key].is_string())
                model.modelType = config[key].get<std::string>();
        if (!resolved.missingFiles.empty())
            throw Error("the download is incomplete: " + std::to_string(resolved.missingFiles.size()) +
                        " weight file(s) missing",
                        "Fetch the model again: hf download continues where it stopped.");
        requireListedSizes(resolved, entry, model.revision);
        model.complete = true;
    } catch (const Error& error) {
        model.problem = error.what();
    }
    if (const std::size_t count = incompleteBlobs(entry / "blobs"); count > 0 && !model.complete)
        model.problem = "the download is incomplete: " + std::to_string(count) + " file(s) are partly there";
    return model;
}

}  // namespace

void requireTrustedFile(const fs::path& file, const fs::path& folder, LinkPolicy policy) {
    std::error_code error;
    if (!fs::is_symlink(fs::symlink_status(file, error))) return;
    const fs::path target = fs::canonical(file, error);
    if (error)
        throw Error(file.string() + ": the symbolic link leads nowhere: " + error.message(),
                    "Download the file again.");
    if (policy == LinkPolicy::Any) return;
    const fs::path home = fs::canonical(folder, error);
    const auto within = std::mismatch(home.begin(), home.end(), target.begin(), target.end());
    const bool inFolder = !error && within.first == home.end();
    const fs::path blobs = target.parent_path();
    const bool inCache = blobs.filename() == "blobs" && isCacheEntry(blobs.parent_path());
    const bool sameEntry = !isCacheSnapshot(home) || blobs.parent_path() == home.parent_path().parent_path();
    if (!inFolder && !(inCache && sameEntry))
        throw Error(file.string() +
                        ": expected a file of this folder or of its cache, found a symbolic link to " +
                        target.string(),
                    "Copy the file into the folder if you trust it.");
}

bool isCacheSnapshot(const fs::path& folder) {
    std::error_code error;
    const fs::path home = fs::canonical(folder, error);
    return !error && home.parent_path().filename() == "snapshots" &&
           isCacheEntry(home.parent_path().parent_path());
}

std::optional<fs::path> snapshotOfCacheEntry(const fs::path& entry) {
    if (!isFolder(entry / "snapshots")) return std::nullopt;
    if (const auto snapshot = snapshotOf(entry, "main")) return snapshot;
    return newestSnapshot(entry / "snapshots");
}

bool isRepositoryName(const std::string& text) {
    const auto at = text.find('@');
    if (at != std::string::npos && !isSafeComponent(std::string_view(text).substr(at + 1))) return false;
    const std::string_view name = std::string_view(text).substr(0, at);
    const auto slash = name.find('/');
    if (slash == std::string_view::npos) return isSafeComponent(name);
    return isSafeComponent(name.substr(0, slash)) && isSafeComponent(name.substr(slash + 1));
}

std::optional<CacheHit> findInCache(const std::string& name, const fs::path& hubCache) {
    if (hubCache.empty() || !isRepositoryName(name)) return std::nullopt;
    const auto at = name.find('@');
    std::string folder = name.substr(0, at);
    if (const auto slash = folder.find('/'); slash != std::string::npos) folder.replace(slash, 1, "--");
    const fs::path entry = hubCache / (std::string(kEntryPrefix) + folder);
    if (!isFolder(entry)) return std::nullopt;
    const auto snapshot =
        at == std::string::npos ? snapshotOfCacheEntry(entry) : snapshotOf(entry, name.substr(at + 1));
    if (!snapshot)
        throw Error(name + ": the Hugging Face cache has no " +
                        (at == std::string::npos ? "snapshot" : "such revision") + " of it in " +
                        entry.string(),
                    "Fovea never downloads. Fetch the model again: hf download " + name.substr(0, at));
    return CacheHit{*snapshot, snapshot->filename().string()};
}

ModelSearch ModelSearch::fromEnvironment() {
    ModelSearch search;
    if (const auto hub = variable("HF_HUB_CACHE"); !hub.empty()) {
        search.hubCache = hub;
    } else if (const auto old = variable("HUGGINGFACE_HUB_CACHE"); !old.empty()) {
        search.hubCache = old;
    } else if (const auto home = variable("HF_HOME"); !home.empty()) {
        search.hubCache = fs::path(home) / "hub";
    } else if (const auto xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) {
        search.hubCache = fs::path(xdg) / "huggingface" / "hub";
    } else {
        const auto user = variable("HOME").empty() ? variable("USERPROFILE") : variable("HOME");
        if (!user.empty()) search.hubCache = fs::path(user) / ".cache" / "huggingface" / "hub";
    }
    const std::string cache = search.hubCache.string();
    if (cache.starts_with("~/")) search.hubCache = fs::path(variable("HOME")) / cache.substr(2);
    return search;
}

std::vector<CachedModel> listCachedModels(const fs::path& hubCache) {
    std::vector<CachedModel> models;
    std::error_code error;
    std::size_t seen = 0;
    for (fs::directory_iterator it(hubCache, error), end; !error && it != end && ++seen <= kMaxEntries;
         it.increment(error))
        if (isCacheEntry(it->path()) && isFolder(it->path())) models.push_back(describeEntry(it->path()));
    std::sort(models.begin(), models.end(),
              [](const CachedModel& a, const CachedModel& b) { return a.name < b.name; });
    return models;
}

}  // namespace fovea
