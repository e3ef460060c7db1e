// Where the program's own files are.
#include <cstdlib>
#include <system_error>
#include <vector>

#include "fovea/error.h"
#include "fovea/model_reference.h"
#include "io/program_folder.h"

namespace fovea {

namespace fs = std::filesystem;

fs::path resourcesFolder() {
    std::vector<fs::path> places;
    if (const char* named = std::getenv("FOVEA_RESOURCES"); named != nullptr && *named != '\0') {
        places.emplace_back(named);
    } else {
        if (const fs::path folder = programFolder(); !folder.empty()) {
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
