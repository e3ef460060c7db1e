#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fovea::test {

/// The folder a fixture script of tests/images (or "FOLDER/script.py" of tests) has filled; runs it the first time and
/// whenever its text, or that of the modules beside it that it imports, has changed.
/// Throws std::runtime_error with the script's output when it fails: a missing Python package must not look like a pass.
std::filesystem::path fixtureFolder(const std::string& script, const std::vector<std::string>& modules = {});

std::vector<std::uint8_t> readBytes(const std::filesystem::path& file);
nlohmann::json readJson(const std::filesystem::path& file);

}  // namespace fovea::test
