#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace fovea {

/// Bounds on a JSON text that comes from outside.
struct JsonLimits {
    std::size_t maxBytes = std::size_t{16} << 20;
    std::size_t maxDepth = 64;
    std::size_t maxValues = 1'000'000;
};

/// Parses strict JSON (no comments, NaN or duplicate keys) within the limits, without recursion; throws Error
/// (Input) whose message starts with source.
nlohmann::json parseJson(std::string_view text, const std::string& source, const JsonLimits& limits = {});
/// Reads and parses a regular file.
nlohmann::json readJsonFile(const std::filesystem::path& path, const JsonLimits& limits = {});
/// A value as it reads in a message: its text, shortened, for scalars; "an object" or "a list" otherwise.
std::string describeJson(const nlohmann::json& value);

}  // namespace fovea
