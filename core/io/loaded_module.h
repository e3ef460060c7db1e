#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>

namespace fovea {

/// A library that is loaded while the program runs. It stays loaded until the program ends: what a library registers
/// elsewhere cannot be taken back.
class LoadedModule {
public:
    /// Loads `name` from the first of `folders` (absolute) that has it, as CMake names a module: libNAME.so, NAME.dll on
    /// Windows. Empty where no folder has it, or the system does not load it.
    LoadedModule(const std::string& name, std::initializer_list<std::filesystem::path> folders);

    explicit operator bool() const { return m_handle != nullptr; }
    /// Points `function` at the module's function of that name; null where it has none.
    template <typename Function>
    void find(Function*& function, const char* name) const {
        function = reinterpret_cast<Function*>(address(name));
    }

    /// The name of a module's file on this system.
    static std::string fileName(const std::string& name);

private:
    void* address(const char* name) const;

    void* m_handle = nullptr;
};

}  // namespace fovea
