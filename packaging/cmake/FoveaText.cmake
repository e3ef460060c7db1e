# Oniguruma (regular expressions) and utf8proc (Unicode tables): what the tokenizers of core/text need. FOVEA_HEADERS=DIR
# adds a folder of headers and libraries on a machine without packages.
function(fovea_text_library target package library header)
  find_path(FOVEA_${target}_INCLUDE "${header}" HINTS "$ENV{FOVEA_HEADERS}" "$ENV{FOVEA_HEADERS}/include")
  find_library(FOVEA_${target}_LIBRARY NAMES ${library} HINTS "$ENV{FOVEA_HEADERS}" "$ENV{FOVEA_HEADERS}/lib")
  if(NOT FOVEA_${target}_INCLUDE OR NOT FOVEA_${target}_LIBRARY)
    message(FATAL_ERROR "${target} was not found (${header} and the library ${library}): install ${package}, or put header and "
                        "library into a folder and name it in FOVEA_HEADERS")
  endif()
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE "${FOVEA_${target}_INCLUDE}")
  target_link_libraries(${target} INTERFACE "${FOVEA_${target}_LIBRARY}")
endfunction()

fovea_text_library(Oniguruma libonig-dev onig oniguruma.h)
fovea_text_library(utf8proc libutf8proc-dev utf8proc utf8proc.h)
