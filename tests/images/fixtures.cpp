#include "images/fixtures.h"

#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace fovea::test {
namespace {

namespace fs = std::filesystem;

std::string interpreter() {
    if (const char* named = std::getenv("FOVEA_TEST_PYTHON")) return named;
    return (fs::path(FOVEA_SOURCE_DIR) / "build/venv/bin/python").string();
}

std::uint64_t hashOf(const std::vector<std::uint8_t>& bytes) {
    std::uint64_t hash = 14695981039346656037ULL;
    for (std::uint8_t byte : bytes) hash = (hash ^ byte) * 1099511628211ULL;
    return hash;
}

}  // namespace

std::vector<std::uint8_t> readBytes(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw std::runtime_error("cannot read " + file.string());
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

nlohmann::json readJson(const fs::path& file) {
    return nlohmann::json::parse(readBytes(file));
}

fs::path fixtureFolder(const std::string& script, const std::vector<std::string>& modules) {
    const bool isElsewhere = script.find('/') != std::string::npos;
    const fs::path source = fs::path(FOVEA_SOURCE_DIR) / (isElsewhere ? "tests" : "tests/images") / script;
    const fs::path root = fs::path(FOVEA_SOURCE_DIR) / "build/fixtures";
    const std::string name = source.stem().string();
    std::vector<std::uint8_t> hashed = readBytes(source);
    for (const std::string& module : modules) {
        const auto more = readBytes(source.parent_path() / module);
        hashed.insert(hashed.end(), more.begin(), more.end());
    }
    const fs::path folder = root / (name + "-" + std::to_string(hashOf(hashed)));
    if (fs::exists(folder / "index.json")) return folder;

    const fs::path partial = folder.string() + "." + std::to_string(std::rand());
    fs::create_directories(partial);
    const fs::path log = partial / "log.txt";
    std::ostringstream line;
    line << std::quoted(interpreter()) << ' ' << std::quoted(source.string()) << ' ' << std::quoted(partial.string())
         << " > " << std::quoted(log.string()) << " 2>&1";
    const std::string command = line.str();
    if (std::system(command.c_str()) != 0) {
        const auto text = readBytes(log);
        throw std::runtime_error("fixtures cannot be made: " + command + "\n" + std::string(text.begin(), text.end()) +
                                 "\nset FOVEA_TEST_PYTHON to an interpreter with the packages of tests/requirements.txt");
    }
    std::error_code taken;  // another run may have been faster
    fs::rename(partial, folder, taken);
    if (taken) fs::remove_all(partial);
    return folder;
}

}  // namespace fovea::test
