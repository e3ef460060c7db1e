# Small header-only libraries: through their CMake package where it is installed, else from their headers alone, so that
# a machine without packages needs nothing but a folder of headers (FOVEA_HEADERS=DIR, or an include path).
function(fovea_header_library package target header)
  find_package(${package} QUIET)
  if(TARGET ${target})
    return()
  endif()
  find_path(FOVEA_${package}_INCLUDE "${header}" HINTS "$ENV{FOVEA_HEADERS}" REQUIRED)
  add_library(fovea_${package} INTERFACE)
  target_include_directories(fovea_${package} SYSTEM INTERFACE "${FOVEA_${package}_INCLUDE}")
  add_library(${target} ALIAS fovea_${package})
endfunction()

fovea_header_library(nlohmann_json nlohmann_json::nlohmann_json nlohmann/json.hpp)
fovea_header_library(CLI11 CLI11::CLI11 CLI/CLI.hpp)
if(FOVEA_TESTS)
  fovea_header_library(doctest doctest::doctest doctest/doctest.h)
endif()

# fmt is linked where its library is installed: its header-only form costs three seconds in every file that formats.
find_package(fmt QUIET)
if(NOT TARGET fmt::fmt)
  fovea_header_library(fmt fmt::fmt fmt/format.h)
  target_compile_definitions(fovea_fmt INTERFACE FMT_HEADER_ONLY=1)
endif()
find_package(Threads REQUIRED)
