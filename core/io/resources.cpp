// Where the program's own files are: the only place that asks the system for the executable's path.
#include <array>
#include <cstdlib>
#include <system_error>
#include <vector>

#ifdef _WIN32
#define NOMINMAX
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#elif defined(__APPLE__)
#include <mach-o/dyld.h>

#include <cstdint>
#endif

#include "fovea/error.h"
#include "fovea/model_reference.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

fs::path executableFolder() {
#ifdef _WIN32
    std::array<wchar_t, 32768> text{};
    const DWORD length = GetModuleFileNameW(nullptr, text.data(), static_cast<DWORD>(text.size()));
    return length == 0 ? fs::path() : fs::path(text.data()).parent_path();
#elif defined(__APPLE__)
    std::array<char, 4096> text{};
    std::uint32_t size = static_cast<std::uint32_t>(text.size());
    return _NSGetExecutablePath(text.data(), &size) == 0 ? fs::path(text.data()).parent_path() : fs::path();
#else
    std::error_code error;
    const fs::path file = fs::read_symlink("/proc/self/exe", error);
    return error ? fs::path() : file.parent_path();
#endif
}

}  // namespace

fs::path resourcesFolder() {
    std::vector<fs::path> places;
    if (const char* named = std::getenv("FOVEA_RESOURCES"); named != nullptr && *named != '\0') {
        places.emplace_back(named);
    } else {
        if (const fs::path folder = executableFolder(); !folder.empty()) {
            places.push_back(folder / ".." / "share" / "fovea");
            places.push_back(folder / ".." / "Resources");
            places.push_back(folder / ".." / ".." / ".." / "resources");
        }
        places.emplace_back(FOVEA_SOURCE_RESOURCES);
    }
    std::string looked;
    for (const fs::path& place : places) {
        std::error_code error;
        const fs::path found = fs::canonical(place, error);
        if (!error && fs::is_directory(found, error)) return found;
        looked += (looked.empty() ? "" : ", ") + place.lexically_normal().string();
    }
    throw Error("the program's resources are in none of: " + looked,
                "Set FOVEA_RESOURCES to the folder that holds demo_models/, or install the program again.");
}

}  // namespace fovea
