#include "io/file_identity.h"

#include <algorithm>
#include <chrono>

#include "io/mapped_file.h"
#include "io/sha256.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHeaderBytes = std::size_t{1} << 20;
constexpr std::size_t kPieceBytes = std::size_t{64} << 20;

}  // namespace

FileIdentity identifyFile(const fs::path& file, HashDepth depth, const JobContext& job) {
    const auto mapped = MappedFile::open(file);
    const auto bytes = mapped->bytes();
    FileIdentity identity;
    identity.file = file;
    identity.size = mapped->size();
    identity.headerHash = sha256Hex(bytes.first(std::min(bytes.size(), kHeaderBytes)));
    std::error_code error;
    const auto time = fs::last_write_time(file, error);
    if (!error) {
        const auto system = std::chrono::file_clock::to_sys(time).time_since_epoch();
        identity.modified = std::chrono::duration_cast<std::chrono::seconds>(system).count();
    }
    if (fs::is_symlink(fs::symlink_status(file, error))) {
        const fs::path target = fs::canonical(file, error);
        if (!error && target.parent_path().filename() == "blobs") identity.blob = target.filename().string();
    }
    if (depth == HashDepth::Header) return identity;
    Sha256 hash;
    for (std::size_t begin = 0; begin < bytes.size(); begin += kPieceBytes) {
        job.progress(static_cast<double>(begin) / static_cast<double>(bytes.size()), "hashing weights");
        hash.update(bytes.subspan(begin, std::min(kPieceBytes, bytes.size() - begin)));
    }
    identity.sha256 = hash.hex();
    return identity;
}

nlohmann::json modelIdentityJson(const ResolvedModel& model, HashDepth depth, const JobContext& job) {
    nlohmann::json files = nlohmann::json::array();
    const auto count = static_cast<double>(model.weightFiles.size());
    for (std::size_t i = 0; i < model.weightFiles.size(); ++i) {
        const auto part = job.part(static_cast<double>(i) / count, static_cast<double>(i + 1) / count);
        const FileIdentity identity = identifyFile(model.weightFiles[i], depth, part);
        nlohmann::json entry = {{"name", identity.file.filename().string()},
                                {"size", identity.size},
                                {"modified", identity.modified},
                                {"header_sha256", identity.headerHash}};
        if (!identity.blob.empty()) entry["blob"] = identity.blob;
        if (!identity.sha256.empty()) entry["sha256"] = identity.sha256;
        files.push_back(std::move(entry));
    }
    nlohmann::json json = {
        {"reference", model.reference}, {"path", model.folder.string()}, {"files", std::move(files)}};
    if (!model.revision.empty()) json["revision"] = model.revision;
    return json;
}

}  // namespace fovea
