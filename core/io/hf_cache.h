#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace fovea {

/// Throws Error (Input) where file, of a model's folder, is a symbolic link that leads in circles or elsewhere
/// than into the folder itself or the blobs of a Hugging Face cache entry; from a snapshot of the cache only
/// into the blobs of its own entry.
void requireTrustedFile(const std::filesystem::path& file, const std::filesystem::path& folder);

/// True for a folder CACHE/models--org--name/snapshots/COMMIT.
bool isCacheSnapshot(const std::filesystem::path& folder);
/// The snapshot that refs/main names, else the newest, of a folder models--org--name; empty where there is
/// none.
std::optional<std::filesystem::path> snapshotOfCacheEntry(const std::filesystem::path& entry);
/// True for texts that can name a repository: name or org/name, optionally @revision.
bool isRepositoryName(const std::string& text);

struct CacheHit {
    std::filesystem::path folder;
    std::string revision;
};
/// Looks a repository up in the cache; empty where it is not there. A revision is a commit or a ref:
/// org/name@REVISION.
std::optional<CacheHit> findInCache(const std::string& name, const std::filesystem::path& hubCache);

}  // namespace fovea
