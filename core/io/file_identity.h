#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "fovea/job_context.h"
#include "fovea/model_reference.h"

namespace fovea {

/// How much of a weight file is read to identify it.
enum class HashDepth {
    Header,  ///< its first MiB: the table of tensors and, of small files, the weights; milliseconds
    Full,    ///< all of it, as sha256sum does
};

/// What tells one weight file from another.
struct FileIdentity {
    std::filesystem::path file;
    std::uint64_t size = 0;
    std::int64_t modified = 0;  ///< seconds since 1970
    std::string headerHash;     ///< SHA-256 of the first MiB
    std::string blob;           ///< name of the blob it links to in the Hugging Face cache, else empty
    std::string sha256;         ///< of the whole file, where asked for
};

/// Reads a file's identity; throws Error (Input) where it cannot be read.
FileIdentity identifyFile(const std::filesystem::path& file, HashDepth depth = HashDepth::Header,
                          const JobContext& job = {});

/// The `fovea.model` metadata of a trace: reference, path, revision, and the files with sizes, times and
/// hashes.
nlohmann::json modelIdentityJson(const ResolvedModel& model, HashDepth depth = HashDepth::Header,
                                 const JobContext& job = {});

}  // namespace fovea
