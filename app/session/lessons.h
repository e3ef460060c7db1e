#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fovea {

/// A session that comes with the program.
struct Lesson {
    std::string name;            ///< "ask"
    std::filesystem::path file;  ///< .../sessions/ask.fovea.json
};

/// The lessons of the program's resources in the order of their names; none where it finds no resources.
std::vector<Lesson> lessons();

/// The file that a document's name means: the file itself, the lesson of "lesson:NAME", or that of a bare NAME where no file
/// is called so. Throws Error (Input) with what was probably meant where it is neither.
std::filesystem::path documentFile(const std::string& name);

}  // namespace fovea
