#include "lessons.h"

#include <algorithm>
#include <string_view>
#include <system_error>

#include "fovea/error.h"
#include "fovea/model_reference.h"
#include "fovea/suggestion.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".fovea.json", kScheme = "lesson:";

fs::path sessionsFolder() {
    try {
        return resourcesFolder() / "sessions";
    } catch (const Error&) {
        return {};  // a session file needs none of them
    }
}

[[noreturn]] void failUnknown(const std::string& name, const std::string& lesson, const std::vector<Lesson>& known) {
    std::vector<std::string> names;
    std::string all;
    for (const Lesson& one : known) {
        names.push_back(one.name);
        all += (all.empty() ? "" : ", ") + one.name;
    }
    const std::string meant = closestWord(lesson, names);
    throw Error(name + ": expected a session file, a picture that Fovea wrote or the name of a lesson, found none of them",
                (meant.empty() ? "" : "did you mean " + meant + "? ") + "give the path of a file" +
                    (all.empty() ? "" : ", or one of the lessons " + all));
}

}  // namespace

std::vector<Lesson> lessons() {
    std::vector<Lesson> found;
    std::error_code error;
    for (fs::directory_iterator it(sessionsFolder(), error), end; !error && it != end; it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (name.ends_with(kSuffix)) found.push_back({name.substr(0, name.size() - kSuffix.size()), it->path()});
    }
    std::sort(found.begin(), found.end(), [](const Lesson& a, const Lesson& b) { return a.name < b.name; });
    return found;
}

fs::path documentFile(const std::string& name) {
    std::error_code error;
    const fs::path file(name);
    if (fs::exists(fs::symlink_status(file, error))) return file;
    const bool schemed = name.starts_with(kScheme);
    // A path or a file's name: who reads it says what is wrong with it.
    if (!schemed && (name.empty() || file.has_parent_path() || file.has_extension())) return file;
    const std::string lesson = schemed ? name.substr(kScheme.size()) : name;
    const std::vector<Lesson> known = lessons();
    const auto found = std::find_if(known.begin(), known.end(), [&](const Lesson& one) { return one.name == lesson; });
    if (found == known.end()) failUnknown(name, lesson, known);
    return found->file;
}

}  // namespace fovea
