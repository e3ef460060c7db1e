#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace fovea {

/// Where a symbolic link of a model folder may lead.
enum class LinkPolicy {
    Any,                ///< the user's own folder: any regular file
    SameFolderOrCache,  ///< into the folder itself, or the blobs of a Hugging Face cache entry
};

/// Throws Error (Input) where file is a symbolic link that leads elsewhere than the policy allows, or in
/// circles.
void requireTrustedFile(const std::filesystem::path& file, const std::filesystem::path& folder,
                        LinkPolicy policy);

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
