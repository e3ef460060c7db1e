// The one place that asks the operating system which file this program is.
#include "io/program_folder.h"

#ifdef _WIN32
#define NOMINMAX
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <array>
#elif defined(__APPLE__)
#include <mach-o/dyld.h>

#include <array>
#include <cstdint>
#else
#include <system_error>
#endif

namespace fovea {

std::filesystem::path programFolder() {
    namespace fs = std::filesystem;
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

}  // namespace fovea
