#include "io/mapped_file.h"

#ifdef _WIN32
#define NOMINMAX
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#endif

#include "fovea/error.h"

namespace fovea {
namespace {

[[noreturn]] void failChanged(const std::filesystem::path& path, std::uint64_t expected,
                              std::uint64_t found) {
    throw Error(path.string() + ": the file changed while it was open: expected " + std::to_string(expected) +
                    " bytes, found " + std::to_string(found),
                "Wait until the file is written completely, then open it again.");
}

}  // namespace

#ifdef _WIN32

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
    std::shared_ptr<MappedFile> mapped(new MappedFile);
    mapped->m_path = path;
    HANDLE file = CreateFileW(path.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING,
                              FILE_ATTRIBUTE_NORMAL, nullptr);
    if (file == INVALID_HANDLE_VALUE)
        throw Error(
            path.string() + ": cannot open the file (system error " + std::to_string(GetLastError()) + ")",
            "Check the path and that you may read it.");
    mapped->m_file = file;
    LARGE_INTEGER size{};
    if (GetFileType(file) != FILE_TYPE_DISK || !GetFileSizeEx(file, &size))
        throw Error(path.string() + ": expected a regular file",
                    "Give the path of a file.");
    mapped->m_size = static_cast<std::uint64_t>(size.QuadPart);
    if (mapped->m_size == 0) return mapped;
    mapped->m_mapping = CreateFileMappingW(file, nullptr, PAGE_WRITECOPY, 0, 0, nullptr);
    void* data = mapped->m_mapping ? MapViewOfFile(mapped->m_mapping, FILE_MAP_COPY, 0, 0, 0) : nullptr;
    if (data == nullptr)
        throw Error(path.string() + ": cannot map the file (system error " + std::to_string(GetLastError()) +
                    ")",
                    "Copy the file to a local disk and open it there.");
    mapped->m_data = static_cast<std::byte*>(data);
    mapped->requireUnchanged();
    return mapped;
}

MappedFile::~MappedFile() {
    if (m_data != nullptr) UnmapViewOfFile(m_data);
    if (m_mapping != nullptr) CloseHandle(m_mapping);
    if (m_file != nullptr) CloseHandle(m_file);
}

void MappedFile::requireUnchanged() const {
    LARGE_INTEGER size{};
    if (!GetFileSizeEx(m_file, &size) || static_cast<std::uint64_t>(size.QuadPart) != m_size)
        failChanged(m_path, m_size, static_cast<std::uint64_t>(size.QuadPart));
}

void MappedFile::dropPages(std::uint64_t, std::uint64_t) const {}

#else

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
    std::shared_ptr<MappedFile> mapped(new MappedFile);
    mapped->m_path = path;
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    mapped->m_file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (mapped->m_file < 0)
        throw Error(path.string() + ": cannot open the file: " + std::strerror(errno),
                    "Check the path and that you may read it.");
    struct stat status {};
    if (::fstat(mapped->m_file, &status) != 0)
        throw Error(path.string() + ": cannot read the file's size: " + std::strerror(errno),
                    "Check the disk or network drive that the file lies on.");
    if (!S_ISREG(status.st_mode))
        throw Error(path.string() + ": expected a regular file, found " +
                    (S_ISDIR(status.st_mode) ? "a folder" : "a device, pipe or socket"),
                    "Give the path of a file.");
    mapped->m_size = static_cast<std::uint64_t>(status.st_size);
    if (mapped->m_size == 0) return mapped;

    int flags = MAP_PRIVATE;
#ifdef MAP_NORESERVE
    // A writable private mapping counts against the commit limit otherwise, and weights may exceed the
    // memory.
    flags |= MAP_NORESERVE;
#endif
    void* data = ::mmap(nullptr, static_cast<std::size_t>(mapped->m_size), PROT_READ | PROT_WRITE, flags,
                        mapped->m_file, 0);
    if (data == MAP_FAILED) throw Error(path.string() + ": cannot map the file: " + std::strerror(errno),
                                        "Copy the file to a local disk and open it there.");
    mapped->m_data = static_cast<std::byte*>(data);
    mapped->requireUnchanged();
    return mapped;
}

MappedFile::~MappedFile() {
    if (m_data != nullptr) ::munmap(m_data, static_cast<std::size_t>(m_size));
    if (m_file >= 0) ::close(m_file);
}

void MappedFile::requireUnchanged() const {
    struct stat status {};
    const bool known = ::fstat(m_file, &status) == 0;
    const auto size = known ? static_cast<std::uint64_t>(status.st_size) : 0;
    if (size != m_size) failChanged(m_path, m_size, size);
}

void MappedFile::dropPages(std::uint64_t begin, std::uint64_t end) const {
#ifdef MADV_DONTNEED
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    const std::uint64_t first = (begin + page - 1) / page * page;
    const std::uint64_t last = end / page * page;
    if (end <= m_size && first < last)
        ::madvise(m_data + first, static_cast<std::size_t>(last - first), MADV_DONTNEED);
#else
    (void)begin;
    (void)end;
#endif
}

#endif

}  // namespace fovea
