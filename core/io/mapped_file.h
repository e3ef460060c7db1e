#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace fovea {

/// A regular file mapped into memory, private and copy-on-write: writes through data() stay in this process
/// and never reach the file. The mapping lives as long as anyone holds the pointer.
class MappedFile {
public:
    /// Maps a whole file; throws Error (Input) where it is missing, not a regular file, or changes size
    /// meanwhile.
    static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);

    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile();

    const std::filesystem::path& path() const { return m_path; }
    std::uint64_t size() const { return m_size; }
    std::span<const std::byte> bytes() const { return {m_data, static_cast<std::size_t>(m_size)}; }
    /// First byte of the mapping, writable (copy-on-write) because tensors have no read-only form.
    std::byte* data() const { return m_data; }

    /// Throws Error (Input) where the file on disk has become shorter or longer since it was mapped.
    void requireUnchanged() const;
    /// Tells the system that the whole pages inside [begin, end) are not needed soon; they are read again on
    /// use.
    void dropPages(std::uint64_t begin, std::uint64_t end) const;

private:
    MappedFile() = default;

    std::filesystem::path m_path;
    std::byte* m_data = nullptr;
    std::uint64_t m_size = 0;
#ifdef _WIN32
    void* m_file = nullptr;
    void* m_mapping = nullptr;
#else
    int m_file = -1;
#endif
};

}  // namespace fovea
