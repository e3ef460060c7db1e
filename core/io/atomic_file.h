#pragma once

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string_view>

namespace fovea {

/// A file that appears under its name only when complete: written beside it, flushed to disk, renamed by
/// commit(). An object destroyed before commit() leaves nothing behind. Throws Error (Input) for every
/// failure of the system.
class AtomicFile {
public:
    /// Opens a new file beside path. A path that exists and is a device or pipe is written directly.
    explicit AtomicFile(const std::filesystem::path& path);
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    ~AtomicFile();

    void write(std::span<const std::byte> bytes);
    void write(std::string_view text);
    /// Makes the file visible under its final name, replacing an older one.
    void commit();

    const std::filesystem::path& path() const { return m_path; }

private:
    [[noreturn]] void fail(const char* what) const;
    void discard();

    std::filesystem::path m_path;
    std::filesystem::path m_part;  // empty when written directly
    std::FILE* m_file = nullptr;
};

/// Writes a whole text or byte string atomically.
void writeFileAtomically(const std::filesystem::path& path, std::string_view content);

}  // namespace fovea
