// The one place that asks the operating system to load a library.
#include "io/loaded_module.h"

#include <system_error>

#ifdef _WIN32
#define NOMINMAX
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace fovea {

LoadedModule::LoadedModule(const std::string& name, std::initializer_list<std::filesystem::path> folders) {
    for (const std::filesystem::path& folder : folders) {
        const std::filesystem::path file = folder / fileName(name);
        std::error_code error;
        // Not relative: what lies where the program happens to be started is not its own.
        if (!folder.is_absolute() || !std::filesystem::is_regular_file(file, error)) continue;
#ifdef _WIN32
        m_handle = LoadLibraryW(file.c_str());
#else
        m_handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
#endif
        if (m_handle != nullptr) return;
    }
}

std::string LoadedModule::fileName(const std::string& name) {
#ifdef _WIN32
    return name + ".dll";
#else
    return "lib" + name + ".so";
#endif
}

void* LoadedModule::address(const char* name) const {
    if (m_handle == nullptr) return nullptr;
#ifdef _WIN32
    return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(m_handle), name));
#else
    return dlsym(m_handle, name);
#endif
}

}  // namespace fovea
