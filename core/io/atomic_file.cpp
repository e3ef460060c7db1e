#include "io/atomic_file.h"

#include <cerrno>
#include <cstring>
#include <random>
#include <string>
#include <system_error>

#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

#include "fovea/error.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

std::FILE* openFile(const fs::path& path, const char* mode) {
#ifdef _WIN32
    const std::wstring wide(mode, mode + std::strlen(mode));
    return _wfopen(path.c_str(), wide.c_str());
#else
    return std::fopen(path.c_str(), mode);
#endif
}

bool flushToDisk(std::FILE* file) {
    if (std::fflush(file) != 0) return false;
#ifdef _WIN32
    return _commit(_fileno(file)) == 0;
#else
    // Some file systems have no fsync; the rename is atomic all the same.
    return ::fsync(::fileno(file)) == 0 || errno == EINVAL || errno == ENOTSUP;
#endif
}

}  // namespace

AtomicFile::AtomicFile(const fs::path& path) : m_path(path) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (fs::is_directory(status))
        throw Error(path.string() + ": expected the name of a file, found a folder",
                    "Give the name of a file in that folder.");
    if (fs::exists(status) && !fs::is_regular_file(status)) {
        m_file = openFile(path, "wb");
        if (m_file == nullptr) fail("cannot open the file for writing");
        return;
    }
    // Through a symbolic link the file it names is replaced, not the link.
    if (fs::exists(status)) m_path = fs::canonical(path, error);
    if (error) m_path = path;

    std::random_device random;
    for (int attempt = 0; attempt < 16 && m_file == nullptr; ++attempt) {
        fs::path part = m_path;
        std::string name = m_path.filename().string().substr(0, 180);
        name.insert(0, 1, '.').append(1, '.').append(std::to_string(random())).append(".part");
        part.replace_filename(name);
        m_file = openFile(part, "wbx");
        if (m_file != nullptr) {
            m_part = std::move(part);
        } else if (errno != EEXIST) {
            break;
        }
    }
    if (m_file == nullptr) fail("cannot write there");
    std::setvbuf(m_file, nullptr, _IOFBF, std::size_t{1} << 20);
}

AtomicFile::~AtomicFile() {
    discard();
}

void AtomicFile::fail(const char* what) const {
    throw Error(m_path.string() + ": " + what + ": " + std::strerror(errno),
                "Check that the folder exists, that you may write there and that the disk is not full.");
}

void AtomicFile::discard() {
    if (m_file == nullptr) return;
    std::fclose(m_file);
    m_file = nullptr;
    std::error_code ignored;
    if (!m_part.empty()) fs::remove(m_part, ignored);
}

void AtomicFile::write(std::span<const std::byte> bytes) {
    if (!bytes.empty() && std::fwrite(bytes.data(), 1, bytes.size(), m_file) != bytes.size())
        fail("cannot write");
}

void AtomicFile::write(std::string_view text) {
    write(std::as_bytes(std::span(text.data(), text.size())));
}

void AtomicFile::commit() {
    if (m_part.empty() ? std::fflush(m_file) != 0 : !flushToDisk(m_file)) fail("cannot write");
    const int closed = std::fclose(m_file);
    m_file = nullptr;
    std::error_code error;
    if (closed == 0 && !m_part.empty()) fs::rename(m_part, m_path, error);
    if (closed == 0 && !error) return;
    std::error_code ignored;
    if (!m_part.empty()) fs::remove(m_part, ignored);
    if (closed != 0) fail("cannot write");
    throw Error(m_path.string() + ": cannot give the file its name: " + error.message(),
                "Check that you may write in the folder.");
}

void writeFileAtomically(const fs::path& path, std::string_view content) {
    AtomicFile file(path);
    file.write(content);
    file.commit();
}

}  // namespace fovea
