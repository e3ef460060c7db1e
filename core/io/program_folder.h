#pragma once

#include <filesystem>

namespace fovea {

/// The folder of the running program's file; empty where the system does not tell.
std::filesystem::path programFolder();

}  // namespace fovea
