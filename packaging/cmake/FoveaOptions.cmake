# Options and the interface target that every Fovea target links.
option(FOVEA_GUI "Build the window, the picture back ends and the image codec (Qt 6, libjpeg, libpng, libtiff, libwebp)" ON)
option(FOVEA_TESTS "Build the tests" ON)
option(FOVEA_FUZZ "Build the libFuzzer targets (clang only)" OFF)
# Newer compilers warn about more: warnings are errors in continuous integration, where the compiler is known.
set(werror_default OFF)
if(DEFINED ENV{CI})
  set(werror_default ON)
endif()
option(FOVEA_WERROR "Treat warnings as errors" ${werror_default})
option(FOVEA_UNITY "Compile several files at once: a clean build takes half the time, a touched file some seconds more" ON)
set(FOVEA_CUDA "AUTO" CACHE STRING "CUDA back end: AUTO, ON or OFF")
set_property(CACHE FOVEA_CUDA PROPERTY STRINGS AUTO ON OFF)
set(FOVEA_SANITIZE "" CACHE STRING "Sanitizers, comma separated: address,undefined or thread")

# Qt's package looks for XKB, which its private modules alone need, in every folder that asks for Qt.
set(CMAKE_DISABLE_FIND_PACKAGE_XKB ON)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set_property(GLOBAL PROPERTY USE_FOLDERS ON)

# fovea_hot_sources(TARGET FILES... [OPTIONS FLAGS...]): files whose loops are worth -O3, where releases take -O2; with flags
# of their own they cannot use the precompiled header.
function(fovea_hot_sources target)
  cmake_parse_arguments(PARSE_ARGV 1 hot "" "" "OPTIONS")
  if(NOT MSVC)
    set_source_files_properties(${hot_UNPARSED_ARGUMENTS} TARGET_DIRECTORY ${target} PROPERTIES
      COMPILE_OPTIONS "-O3;${hot_OPTIONS}" SKIP_PRECOMPILE_HEADERS ON)
  endif()
endfunction()

# fovea_quick_build(TARGET): a target that computes nothing heavy itself; quicker builds are worth more than -O3.
function(fovea_quick_build target)
  if(NOT MSVC)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
endfunction()

# fovea_unity(TARGET BATCH): TARGET compiles BATCH files at once, for the templates of a header cost each compiler run anew.
function(fovea_unity target batch)
  if(FOVEA_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE BATCH UNITY_BUILD_BATCH_SIZE ${batch})
  endif()
endfunction()

# fovea_share_headers(TARGET OWNER): TARGET uses OWNER's precompiled header, for which an executable must be compiled as
# a static library is (-fPIC, not -fPIE).
function(fovea_share_headers target owner)
  get_target_property(type ${target} TYPE)
  if(NOT MSVC AND type STREQUAL "EXECUTABLE")
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
  target_link_libraries(${target} PRIVATE fmt::fmt)  # its definitions are part of the header
  target_precompile_headers(${target} REUSE_FROM ${owner})
endfunction()

# ccache and mold are used where they are installed and never required.
find_program(FOVEA_CCACHE ccache)
if(FOVEA_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${FOVEA_CCACHE})
endif()
find_program(FOVEA_MOLD mold)

add_library(fovea_options INTERFACE)
target_compile_features(fovea_options INTERFACE cxx_std_20)
if(NOT MSVC)
  target_compile_options(fovea_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wnon-virtual-dtor;-Woverloaded-virtual>
    # Files compiled at once see one another's aliases.
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<NOT:$<BOOL:${FOVEA_UNITY}>>>:-Wshadow>
    # GCC sees overlaps, bounds and unset members in moved strings and variants that are not there (its bugs 105651,
    # 105562); the sanitizers look for real ones.
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-restrict;-Wno-array-bounds;-Wno-stringop-overflow;-Wno-stringop-overread;-Wno-maybe-uninitialized>
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${FOVEA_WERROR}>>:-Werror>
    # The precompiled header needs -fpch-preprocess for ccache to see through it.
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-fpch-preprocess>)
  if(FOVEA_FUZZ)
    target_compile_options(fovea_options INTERFACE
      -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    target_link_options(fovea_options INTERFACE -fsanitize=address,undefined)
  elseif(FOVEA_SANITIZE)
    target_compile_options(fovea_options INTERFACE -fsanitize=${FOVEA_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(fovea_options INTERFACE -fsanitize=${FOVEA_SANITIZE})
  elseif(FOVEA_MOLD AND CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    target_link_options(fovea_options INTERFACE -fuse-ld=mold)
  endif()
endif()
target_compile_definitions(fovea_options INTERFACE FOVEA_VERSION="${PROJECT_VERSION}")
