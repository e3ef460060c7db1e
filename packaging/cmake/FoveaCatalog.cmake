# fovea_catalog(TARGET KIND FOLDER CATALOG_TYPE HEADER [NAMESPACE])
# Globs FOLDER/*.cpp, adds the files to TARGET and generates KIND_catalog.cpp with one explicit call of
# add_<stem>(CATALOG_TYPE&) per file, all in NAMESPACE (fovea). No self-registering statics: a static library drops them silently.
function(fovea_catalog target kind folder type header)
  set(namespace fovea)
  if(ARGC GREATER 5)
    set(namespace "${ARGV5}")
  endif()
  file(GLOB files CONFIGURE_DEPENDS "${folder}/*.cpp")
  list(SORT files)
  set(declarations "")
  set(calls "")
  foreach(file IN LISTS files)
    get_filename_component(stem "${file}" NAME_WE)
    string(APPEND declarations "void add_${stem}(${type}& catalog);\n")
    string(APPEND calls "    add_${stem}(catalog);\n")
  endforeach()
  set(generated "${CMAKE_CURRENT_BINARY_DIR}/${kind}_catalog.cpp")
  file(CONFIGURE OUTPUT "${generated}" @ONLY CONTENT
"// Generated from the files of the folder ${kind}: one line per file.
#include \"@header@\"

namespace @namespace@ {
@declarations@
void addAll_@kind@([[maybe_unused]] @type@& catalog) {
@calls@}
}  // namespace @namespace@
")
  target_sources(${target} PRIVATE ${files} "${generated}")
  # The generated table and torch-free entries compile without the precompiled torch header.
  set_source_files_properties("${generated}" PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
  set_source_files_properties("${generated}" PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
