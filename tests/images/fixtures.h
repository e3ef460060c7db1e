#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fovea::test {

/// The folder a fixture script of tests/images (or of the folder named by FOVEA_FIXTURE_SCRIPTS) has filled; runs it the first time and whenever its text has changed.
/// Throws std::runtime_error with the script's output when it fails: a missing Python package must not look like a pass.
std::filesystem::path fixtureFolder(const std::string& script);

std::vector<std::uint8_t> readBytes(const std::filesystem::path& file);
nlohmann::json readJson(const std::filesystem::path& file);

}  // namespace fovea::test
