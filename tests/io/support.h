#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace fovea::test {

namespace fs = std::filesystem;

inline std::string readBytes(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream) throw std::runtime_error("cannot read " + path.string());
    return {std::istreambuf_iterator<char>(stream), {}};
}

inline void writeBytes(const fs::path& path, const std::string& bytes) {
    fs::create_directories(path.parent_path());
    std::ofstream stream(path, std::ios::binary);
    stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!stream) throw std::runtime_error("cannot write " + path.string());
}

/// A folder of its own for one test case, removed afterwards.
class TemporaryFolder {
public:
    TemporaryFolder() {
        static int count = 0;
        m_path = fs::temp_directory_path() /
                 ("fovea_io_" + std::to_string(std::hash<std::string>{}(FOVEA_TEST_FIXTURES) % 100000) + "_" +
                  std::to_string(++count));
        fs::remove_all(m_path);
        fs::create_directories(m_path);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        fs::remove_all(m_path, ignored);
    }
    const fs::path& path() const { return m_path; }
    fs::path operator/(const std::string& name) const { return m_path / name; }

private:
    fs::path m_path;
};

/// Files that the reference packages wrote, made on first use by fixtures.py with the Python that
/// FOVEA_TEST_PYTHON names and kept under the build folder; an empty path where there is no such Python.
inline fs::path referenceFiles() {
    static const fs::path folder = [] {
        const std::string script = std::string(FOVEA_TEST_SOURCE) + "/io/fixtures.py";
        const auto key = std::hash<std::string>{}(readBytes(script));
        const fs::path made = fs::path(FOVEA_TEST_FIXTURES) / ("io-" + std::to_string(key));
        if (fs::exists(made / "expected.json")) return made;
        const char* python = std::getenv("FOVEA_TEST_PYTHON");
        if (python == nullptr) return fs::path();
        fs::create_directories(made);
        std::string command;
        for (const std::string& word : {std::string(python), script, made.string()})
            command.append("\"").append(word).append("\" ");
        command.append(">\"").append((made / "log.txt").string()).append("\" 2>&1");
        if (std::system(command.c_str()) != 0)
            throw std::runtime_error("fixtures.py failed: see " + (made / "log.txt").string());
        return made;
    }();
    return folder;
}

}  // namespace fovea::test
