// The one place that asks the operating system how much memory there is.
#include <algorithm>
#include <fstream>
#include <string>

#include "fovea/run.h"

#if defined(_WIN32)
#define NOMINMAX
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace fovea {
namespace {

#if defined(_WIN32)
std::uint64_t systemMemory() {
    MEMORYSTATUSEX status{};
    status.dwLength = sizeof status;
    return GlobalMemoryStatusEx(&status) ? status.ullAvailPhys : 0;
}
#elif defined(__APPLE__)
std::uint64_t systemMemory() {
    std::uint64_t bytes = 0;
    std::size_t size = sizeof bytes;
    return sysctlbyname("hw.memsize", &bytes, &size, nullptr, 0) == 0 ? bytes / 2 : 0;
}
#else
std::uint64_t systemMemory() {
    std::ifstream file("/proc/meminfo");
    std::string key, unit;
    std::uint64_t kibibytes = 0;
    while (file >> key >> kibibytes) {
        std::getline(file, unit);
        if (key == "MemAvailable:") return kibibytes * 1024;
    }
    return 0;
}

std::uint64_t numberIn(const char* path) {
    std::ifstream file(path);
    std::uint64_t value = 0;
    return file >> value ? value : 0;  // "max" is no number: no limit
}

// A container's limit less what it uses; 0 when there is none.
std::uint64_t containerMemory() {
    const std::uint64_t limit = numberIn("/sys/fs/cgroup/memory.max");
    const std::uint64_t used = numberIn("/sys/fs/cgroup/memory.current");
    return limit > used ? limit - used : 0;
}
#endif

}  // namespace

std::uint64_t availableMemory() {
    constexpr std::uint64_t fallback = std::uint64_t{4} << 30;
    std::uint64_t bytes = systemMemory();
#if !defined(_WIN32) && !defined(__APPLE__)
    if (const std::uint64_t container = containerMemory())
        bytes = bytes ? std::min(bytes, container) : container;
#endif
    return bytes ? bytes : fallback;
}

}  // namespace fovea
